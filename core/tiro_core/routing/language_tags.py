"""Language tags (BCP 47) as callers write them, and the languages of models that they mean.

Callers name languages as other services do: `en`, `en-US`, `en_us`, `EN`, `zh-Hans-CN`. Models have their own lists,
most of them ISO 639 codes without regions.
"""

from collections.abc import Iterable
from functools import lru_cache

import langcodes
from langcodes.tag_parser import LanguageTagError

DETECT = "auto"
"""What many clients send for a language that is to be detected. It means the same as an empty tag."""
_DISTANCE_MAX = 9
"""The greatest distance of a language that is taken for another one, as defined by CLDR: Norwegian Bokmål and
Norwegian have 1, Swiss German and German 8. From 10 on languages differ in more than their name."""
_CACHE_SIZE = 1024


def normalized(tag: str) -> str:
    """A tag in the usual letter case, as in `zh-Hans-CN`. Empty where the language is to be detected.

    A text that is no tag is returned as it is: no model has such a language.
    """
    if tag.lower() in ("", DETECT):
        return ""
    language = _parsed(tag)
    return tag if language is None else language.to_tag()


@lru_cache(_CACHE_SIZE)
def closest_language(tag: str, languages: frozenset[str]) -> str | None:
    """The language of a model that a tag means. None where it has none.

    A region or script is taken off where the model does not distinguish it.

    Args:
        tag: The tag, normalized.
        languages: The languages of the model.
    """
    if tag in languages:
        return tag
    language = _parsed(tag)
    if language is None or language.language is None:
        return None
    for wanted in (tag, language.language):
        found = langcodes.closest_supported_match(wanted, sorted(languages), max_distance=_DISTANCE_MAX)
        if found is not None:
            return str(found)
    return None


def suggestion(name: str, languages: Iterable[str]) -> str | None:
    """The language of a model that was probably meant by a name that is no tag of one. None where there is no guess.

    Args:
        name: A language's name in any language, as in `english`, or a country's code, as in `jp`.
        languages: The languages of the model.
    """
    try:
        guess: str | None = langcodes.find(name).to_tag()
    except LookupError:
        guess = _most_spoken_in(name)
    return closest_language(guess, frozenset(languages)) if guess else None


def _most_spoken_in(country: str) -> str | None:
    found = _parsed(f"und-{country}")
    if found is None or found.territory is None:
        return None
    likely = found.maximize()
    return likely.language if likely.speaking_population() else None


def _parsed(tag: str) -> langcodes.Language | None:
    """The parts of a tag, as they are written. None where it is no tag."""
    try:
        return langcodes.Language.get(tag, normalize=False)
    except LanguageTagError:
        return None
