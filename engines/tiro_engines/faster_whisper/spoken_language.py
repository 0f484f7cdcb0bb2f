"""The language of one live session: named by its caller, or heard in the session's speech.

Whisper hears the language of an utterance well when it is padded to the 30 s that Whisper was trained on, and the
utterance is not short. So a session keeps its language until its utterances clearly contradict it. The contradiction is
the cumulative sum of log-likelihood ratios, Page's test for a change (Biometrika 41, 1954): for each other language,

    sum = max(0, sum + weight * ln(P(other) / P(session's)) - DRIFT)

and the session changes to the language whose sum exceeds `LIMIT`. The weight of short utterances is small.
"""

from collections.abc import Iterable, Mapping
from math import log
from typing import Any

import numpy as np

from tiro_engines.faster_whisper.languages import Languages
from tiro_engines.interface import SAMPLE_RATE, Samples

WINDOW_SAMPLES = 30 * SAMPLE_RATE
"""The audio of Whisper's training."""
LIMIT = log(10)
"""The contradiction from which on a session has another language.

Measured with base: of 600 sequences of four utterances, two in each of two languages, the first one after the change is
heard right in 97 % and the second one in 100 %, and no session in one language has two. Each utterance for itself, with
a short pad: 91 % and 97 %. From log(5) to log(20) the figures hardly change.
"""
DRIFT = log(2)
"""The part of each utterance's contradiction that is taken for chance."""
RELIABLE_SECONDS = 2.0
"""The shortest utterance with a weight of 1. Those of shorter ones fall with the square of their length."""
AGREEMENT_MIN = 0.5
"""The probability from which a window with a short pad confirms the session's language."""
_PROBABILITY_MIN = 1e-9


class SpokenLanguage:
    """The language of one session."""

    def __init__(self, whisper: Any, languages: Languages, named: str | None = None) -> None:
        """Begin without a language that was heard.

        Args:
            whisper: The loaded model.
            languages: Its languages.
            named: The language that the caller has named. None: it is heard.
        """
        self._whisper = whisper
        self._languages = languages
        self._heard = ""
        self._contradictions: Mapping[str, float] = {}
        self.named = named
        self.candidates: frozenset[str] = frozenset()
        """The languages among which it is heard. Empty: all of the model."""

    @property
    def known(self) -> str | None:
        """The language that needs no detection. None where it must be heard."""
        return self.named or (None if self._languages.several else next(iter(self._languages.codes)))

    @property
    def guess(self) -> str:
        """The language as far as it is known without hearing more; empty where it is unknown."""
        return self.known or self._heard

    def fixed(self, code: str) -> "SpokenLanguage":
        """A language for further windows of the same utterance."""
        return SpokenLanguage(self._whisper, self._languages, code)

    def of_partial(self, encoded: Any, samples: Samples) -> str:
        """The language of a window that more of its utterance may follow."""
        code, _ = self._after(self._probabilities(encoded), len(samples))
        return code

    def of_final(self, encoded: Any, samples: Samples) -> str:
        """The language of a whole utterance, which counts for those after it.

        Args:
            encoded: The utterance with a short pad, encoded. It is encoded again with a long one where this contradicts
                the session's language and is long enough to count, and where the session has no language yet.
            samples: The utterance.
        """
        probabilities = self._probabilities(encoded)
        if probabilities.get(self._heard, 0.0) >= AGREEMENT_MIN:
            self._contradictions = {}
            return self._heard
        if not self._heard or len(samples) >= RELIABLE_SECONDS * SAMPLE_RATE:
            probabilities = self._probabilities(self._encoded_in_full(samples))
        self._heard, self._contradictions = self._after(probabilities, len(samples))
        return self._heard

    def _after(self, probabilities: Mapping[str, float], length: int) -> tuple[str, Mapping[str, float]]:
        """The session's language after an utterance, and what contradicts it."""
        weight = min(1.0, length / (RELIABLE_SECONDS * SAMPLE_RATE)) ** 2
        if not self._heard:
            return _begun(max(probabilities, key=probabilities.__getitem__), probabilities, weight)
        sums = {
            code: max(0.0, self._contradictions.get(code, 0.0) + ratio - DRIFT)
            for code, ratio in _ratios(self._heard, probabilities, weight).items()
        }
        strongest = max(sums, key=sums.__getitem__)
        if sums[strongest] > LIMIT:
            return _begun(strongest, probabilities, weight)
        return self._heard, sums

    def _probabilities(self, encoded: Any) -> Mapping[str, float]:
        """The probability of each language in an encoded window."""
        found = self._whisper.model.detect_language(encoded)[0]
        return among(self.candidates, ((str(token).strip("<|>"), float(each)) for token, each in found))

    def _encoded_in_full(self, samples: Samples) -> Any:
        window = samples[:WINDOW_SAMPLES]
        padded = np.pad(window, (0, WINDOW_SAMPLES - len(window)))
        return self._whisper.encode(self._whisper.feature_extractor(padded, padding=0))


def among(candidates: frozenset[str], found: Iterable[tuple[str, float]]) -> Mapping[str, float]:
    """The probabilities of some languages, at least `_PROBABILITY_MIN` each, as if there were no others.

    Args:
        candidates: The languages. Empty: all.
        found: The probabilities of all languages.
    """
    kept = {code: max(each, _PROBABILITY_MIN) for code, each in found if not candidates or code in candidates}
    total = sum(kept.values())
    return {code: each / total for code, each in kept.items()}


def _begun(code: str, probabilities: Mapping[str, float], weight: float) -> tuple[str, Mapping[str, float]]:
    """A language that was just heard: another one needs as much less to replace it as this one was unclear."""
    ratios = _ratios(code, probabilities, weight)
    return code, {other: max(0.0, LIMIT + ratio) for other, ratio in ratios.items()}


def _ratios(code: str, probabilities: Mapping[str, float], weight: float) -> Mapping[str, float]:
    """The weighted log-likelihood ratio of each other language."""
    own = log(probabilities[code])
    return {other: weight * (log(value) - own) for other, value in probabilities.items() if other != code}
