"""Scores a live stream: the words that it received against the words of the recording.

Word latency: the time at which a word is shown, without a later change, minus the time at which its last sample was
sent.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.live.reference import Spoken
from benchmarks.live.shown_words import SettledWord, ShownWord, Utterance, matching
from benchmarks.shared.pacing import FRAME_SECONDS

LOST_WORDS_MAX = 0.1
"""A stream whose final text lacks a larger share of the words is not complete."""


@dataclass(slots=True)
class Scores:
    """Scores of streams with the same recording. Times in seconds, a figure for each word or stream."""

    streams: int = 0
    shown: list[float] = field(default_factory=list)
    stable: list[float] = field(default_factory=list)
    first_text: list[float] = field(default_factory=list)
    """From the beginning of speech."""
    last_final: list[float] = field(default_factory=list)
    """After the half-close."""
    last_word: list[float] = field(default_factory=list)
    """After the end of the audio: the last word that is shown and does not change."""
    texts: list[str] = field(default_factory=list)
    incomplete: int = 0
    refused: list[str] = field(default_factory=list)
    lag_max: float = 0.0
    stable_words: int = 0
    changed_words: int = 0

    @property
    def complete(self) -> int:
        """Streams that received nearly all words."""
        return self.streams - self.incomplete - len(self.refused)


@dataclass(slots=True)
class _Received:
    """The events of one stream. Times by the monotonic clock."""

    settled: list[SettledWord] = field(default_factory=list)
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
    received = _read_events(stream["events"], utterance)
    scores.lag_max = max(scores.lag_max, received.lag_max)
    scores.stable_words += utterance.stable
    scores.changed_words += utterance.changed
    scores.texts.append(" ".join(one.word.text for one in received.settled))
    pairs = list(_pairs(received.settled, spoken))
    scores.incomplete += len(pairs) < (1 - LOST_WORDS_MAX) * len(spoken.words) * spoken.times
    for end, settled in pairs:
        sent_at = stream["begun"] + math.ceil(end / FRAME_SECONDS - 1e-6) * FRAME_SECONDS
        scores.shown.append(settled.shown_at - sent_at)
        scores.stable.append(settled.stable_at - sent_at)
    if received.settled:
        scores.first_text.append(received.first_at - stream["begun"] - spoken.words[0].start)
        scores.last_final.append(max(0.0, received.last_final_at - stream["half_closed"]))
        scores.last_word.append(max(0.0, max(one.shown_at for one in received.settled) - stream["half_closed"]))


def _read_events(events: Iterable[tuple[float, str, Any]], utterance: Utterance) -> _Received:
    received = _Received()
    for at, kind, what in events:
        if kind == "lag":
            received.lag_max = max(received.lag_max, what)
        elif kind in {"partial", "final"}:
            words = [ShownWord(*word) for word in what]
            received.first_at = received.first_at or (at if words else 0.0)
            if kind == "partial":
                utterance.show(at, words)
            else:
                received.last_final_at = at
                received.settled += utterance.settle(at, words)
    return received


def _pairs(settled: Iterable[SettledWord], spoken: Spoken) -> Iterator[tuple[float, SettledWord]]:
    """Each word of the reference that was recognized: its end in the audio, and when it was shown.

    Each repetition of the recording is matched on its own, because a word could match in another repetition.
    """
    turns: list[list[SettledWord]] = [[] for _ in range(spoken.times)]
    for one in settled:
        middle = (one.word.start + one.word.end) / 2
        turns[min(int(middle / spoken.seconds), spoken.times - 1)].append(one)
    said = [word.text for word in spoken.words]
    for number, turn in enumerate(turns):
        for ours, theirs in matching(said, [one.word.text for one in turn]).items():
            yield number * spoken.seconds + spoken.words[ours].end, turn[theirs]
