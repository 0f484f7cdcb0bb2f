"""The place of sound in time: where its container's timestamps put it, counted from the container's start."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from av import AudioFrame

from tiro_core.audio.limits import DecodeLimits

HOLE_SECONDS_MIN = 0.1
"""A shorter distance between the timestamps and the sound is rounding, or the jitter of a recorder's clock."""

STEP_BACK_SECONDS_MAX = 1.0
"""Timestamps that go back further begin anew. Up to here the sound of two packets overlaps, which loses nothing."""

RESTARTS_MAX = 5
"""A container whose timestamps begin anew more often has none that mean anything: its sound is only counted."""

CHAINED_CONTAINER = "ogg"
"""FFmpeg's name of the container that may be a chain of several, each of which counts from its start (RFC 3533)."""


class Piece(NamedTuple):
    """The sound of one packet.

    Attributes:
        time: its timestamp in seconds, as the container has it; None without one.
        seconds: its length.
        stated_seconds: the length that the container states; 0.0 where it states none.
        frames: the decoded sound; empty where the packet was measured only.
    """

    time: float | None
    seconds: float
    stated_seconds: float
    frames: Sequence[AudioFrame]


class Timeline:
    """Finds the holes between pieces of sound, for which silence is inserted.

    Timestamps that go back, or jump by more than the limit, are a restart: the sound continues where it was, and later
    timestamps count from there.

    Attributes:
        position: the end of the sound so far, in seconds from the start of the container.
        restarts: how often timestamps went back or jumped.
        skipped_seconds: the length of the jumps.
        is_ignored: whether timestamps are ignored, because they mean nothing.

    Args:
        origin: the timestamp of the container's start in seconds; None takes that of the first piece.
        hole_seconds_max: the longest hole.
        chained: whether timestamps may begin anew at the origin, which is then no restart.
    """

    def __init__(self, origin: float | None, *, hole_seconds_max: float, chained: bool = False) -> None:
        self._origin = origin
        self._hole_seconds_max = hole_seconds_max
        self._chained = chained
        self._shift = -origin if origin is not None else 0.0
        self._next = origin
        self.is_ignored = False
        self.position = 0.0
        self.restarts = 0
        self.skipped_seconds = 0.0

    def ignore_timestamps(self) -> None:
        """Only count the sound from here on."""
        self.is_ignored = True

    def place(self, time: float | None, seconds: float, *, hole_seconds_min: float = HOLE_SECONDS_MIN) -> float:
        """Return the seconds of silence before a piece of sound, and move to its end.

        Args:
            time: the timestamp of the piece in seconds; None continues where the sound before ends.
            seconds: its length.
            hole_seconds_min: the shortest hole.
        """
        hole = 0.0 if time is None or self.is_ignored else self._hole_before(time)
        silence = hole if hole >= hole_seconds_min else 0.0
        self.position += silence + seconds
        if time is not None:
            self._next = time + seconds
        elif self._next is not None:
            self._next += seconds
        return silence

    def _hole_before(self, time: float) -> float:
        if self._next is None:
            self._origin = self._next = time
            self._shift = self.position - time
        step = time - self._next
        if not -STEP_BACK_SECONDS_MAX <= step <= self._hole_seconds_max:
            self._restart(time, step)
        hole = time + self._shift - self.position
        return min(max(0.0, hole), self._hole_seconds_max)

    def _restart(self, time: float, step: float) -> None:
        self._shift = self.position - time
        if self._chained and self._origin is not None and abs(time - self._origin) < STEP_BACK_SECONDS_MAX:
            return
        self.restarts += 1
        self.skipped_seconds += max(0.0, step)
        if self.restarts > RESTARTS_MAX:
            self.ignore_timestamps()


class Clocked(Protocol):
    """An opened audio stream."""

    @property
    def name(self) -> str:
        """FFmpeg's name of the container."""

    @property
    def origin(self) -> float | None:
        """The timestamp of the container's start in seconds; None where it has none."""

    @property
    def duration_seconds(self) -> float | None:
        """The end of the sound as the header states it, in seconds from `origin`; None where it does not."""


def open_timeline(stream: Clocked, limits: DecodeLimits) -> Timeline:
    """Return the timeline of a stream, at its start."""
    return Timeline(stream.origin, hole_seconds_max=limits.hole_seconds_max, chained=stream.name == CHAINED_CONTAINER)


def stated_end(stream: Clocked, timeline: Timeline) -> float | None:
    """Return where the header says that the sound ends, as a position of the timeline; None where it does not say."""
    if stream.duration_seconds is None or timeline.is_ignored:
        return None
    return max(0.0, stream.duration_seconds - timeline.skipped_seconds)
