"""Language tags as callers write them, and the languages of models that they mean."""

import pytest

from tiro_core.routing.language_tags import closest_language, normalized, suggestion

WHISPER = frozenset(
    [
        "ar",
        "de",
        "el",
        "en",
        "es",
        "fil",
        "fr",
        "he",
        "id",
        "ja",
        "jw",
        "nn",
        "no",
        "pt",
        "ro",
        "sr",
        "tl",
        "tr",
        "yue",
        "zh",
    ]
) - {"fil"}
LOCALES = frozenset({"en", "en-GB", "en-US", "es", "es-ES", "es-MX", "es-US", "pt", "pt-BR", "pt-PT", "zh", "zh-TW"})


@pytest.mark.parametrize(
    ("tag", "usual"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("en_us", "en-US"),
        ("zh-hans-cn", "zh-Hans-CN"),
        ("eng", "eng"),
        ("tl", "tl"),
        ("de-CH-1996", "de-CH-1996"),
        ("", ""),
        ("auto", ""),
        ("AUTO", ""),
        ("not a tag", "not a tag"),
        ("en-", "en-"),
        ("-", "-"),
    ],
)
def test_letter_case_and_separators(tag: str, usual: str) -> None:
    """A tag gets the usual letter case. `auto` means none, and other texts stay as they are."""
    assert normalized(tag) == usual
    assert normalized(usual) == usual


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"),
        ("en-US", "en"),
        ("zh-Hans-CN", "zh"),
        ("zh-HK", "zh"),
        ("zh-Hant-TW", "zh"),
        ("cmn", "zh"),
        ("yue-HK", "yue"),
        ("eng", "en"),
        ("deu", "de"),
        ("gsw", "de"),
        ("nb-NO", "no"),
        ("nn", "nn"),
        ("iw", "he"),
        ("jv", "jw"),
        ("fil-PH", "tl"),
        ("sr-Latn", "sr"),
        ("es-419", "es"),
        ("mo", "ro"),
        ("en-x-anything", "en"),
    ],
)
def test_the_language_of_a_model(tag: str, language: str) -> None:
    """Regions and scripts are taken off; old and other codes of a language are understood."""
    assert closest_language(normalized(tag), WHISPER) == language


@pytest.mark.parametrize("tag", ["", "xx", "tlh", "und", "mul", "jp", "english", "x-private", "not a tag", "fi", "-"])
def test_no_language_of_a_model(tag: str) -> None:
    """A language that the model lacks is not replaced by another one."""
    assert closest_language(tag, WHISPER) is None


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"),
        ("en-GB", "en-GB"),
        ("en-gb", "en-GB"),
        ("pt-AO", "pt-PT"),
        ("es-AR", "es-MX"),
        ("zh-Hant-TW", "zh-TW"),
        ("zh-SG", "zh"),
    ],
)
def test_the_locale_of_a_model(tag: str, language: str) -> None:
    """Where a model distinguishes regions, the closest one is taken."""
    assert closest_language(normalized(tag), LOCALES) == language


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("english", "en"),
        ("Deutsch", "de"),
        ("français", "fr"),
        ("mandarin", "zh"),
        ("jp", "ja"),
        ("us", "en"),
        ("cn", "zh"),
        ("xx", None),
        ("fi", None),
        ("Klingon", None),
        ("?", None),
    ],
)
def test_a_suggestion(name: str, language: str | None) -> None:
    """Names of languages and codes of countries are understood, where the model has the language."""
    assert suggestion(name, WHISPER) == language
