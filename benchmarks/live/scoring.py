"""What a live stream was told, held against what was said in it.

Word latency: when a word first shows in a partial or final and stays, minus when its last sample was sent.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.live.reference import Spoken
from benchmarks.live.shown_words import ShownWord, Told, Utterance, matching
from benchmarks.shared.pacing import FRAME_SECONDS

LOST_WORDS_MAX = 0.1
"""A stream whose final text lacks more of the words than this is not complete."""


@dataclass(slots=True)
class Scores:
    """What came of streams that played the same. Times in seconds, a figure a word or a stream."""

    streams: int = 0
    shown: list[float] = field(default_factory=list)
    stable: list[float] = field(default_factory=list)
    first_text: list[float] = field(default_factory=list)
    """From the beginning of speech."""
    last_final: list[float] = field(default_factory=list)
    """After the half-close."""
    last_word: list[float] = field(default_factory=list)
    """After the end of the audio: the last word that shows first, and stays."""
    texts: list[str] = field(default_factory=list)
    incomplete: int = 0
    refused: list[str] = field(default_factory=list)
    lag_max: float = 0.0
    stable_words: int = 0
    changed_words: int = 0

    @property
    def complete(self) -> int:
        """Streams whose words all came, but for a few."""
        return self.streams - self.incomplete - len(self.refused)


@dataclass(slots=True)
class _Heard:
    """What came back on one stream. Times by the monotonic clock."""

    told: list[Told] = field(default_factory=list)
    first_at: float = 0.0
    last_final_at: float = 0.0
    lag_max: float = 0.0


def score_all(streams: Iterable[dict[str, Any]], spoken: Spoken) -> Scores:
    """Score the streams of a load generator's answer."""
    scores = Scores()
    for stream in streams:
        score(stream, spoken, scores)
    return scores


def score(stream: dict[str, Any], spoken: Spoken, scores: Scores) -> None:
    """Add one stream, as a load generator reports it, to the scores."""
    scores.streams += 1
    if stream["error"]:
        scores.refused.append(stream["error"])
        return
    utterance = Utterance()
    heard = _hear(stream["events"], utterance)
    scores.lag_max = max(scores.lag_max, heard.lag_max)
    scores.stable_words += utterance.stable
    scores.changed_words += utterance.changed
    scores.texts.append(" ".join(one.word.text for one in heard.told))
    pairs = list(_pairs(heard.told, spoken))
    scores.incomplete += len(pairs) < (1 - LOST_WORDS_MAX) * len(spoken.words) * spoken.times
    for end, told in pairs:
        sent_at = stream["begun"] + math.ceil(end / FRAME_SECONDS - 1e-6) * FRAME_SECONDS
        scores.shown.append(told.shown_at - sent_at)
        scores.stable.append(told.stable_at - sent_at)
    if heard.told:
        scores.first_text.append(heard.first_at - stream["begun"] - spoken.words[0].start)
        scores.last_final.append(max(0.0, heard.last_final_at - stream["half_closed"]))
        scores.last_word.append(max(0.0, max(one.shown_at for one in heard.told) - stream["half_closed"]))


def _hear(events: Iterable[tuple[float, str, Any]], utterance: Utterance) -> _Heard:
    heard = _Heard()
    for at, kind, what in events:
        if kind == "lag":
            heard.lag_max = max(heard.lag_max, what)
        elif kind in {"partial", "final"}:
            words = [ShownWord(*word) for word in what]
            heard.first_at = heard.first_at or (at if words else 0.0)
            if kind == "partial":
                utterance.show(at, words)
            else:
                heard.last_final_at = at
                heard.told += utterance.settle(at, words)
    return heard


def _pairs(told: Iterable[Told], spoken: Spoken) -> Iterator[tuple[float, Told]]:
    """Each word of the reference that was told: when it ended in the audio, and when it was told.

    Each turn of the recording is matched by itself: in a text that is repeated, a word can be found in the wrong turn.
    """
    turns: list[list[Told]] = [[] for _ in range(spoken.times)]
    for one in told:
        middle = (one.word.start + one.word.end) / 2
        turns[min(int(middle / spoken.seconds), spoken.times - 1)].append(one)
    said = [word.text for word in spoken.words]
    for number, turn in enumerate(turns):
        for ours, theirs in matching(said, [one.word.text for one in turn]).items():
            yield number * spoken.seconds + spoken.words[ours].end, turn[theirs]
