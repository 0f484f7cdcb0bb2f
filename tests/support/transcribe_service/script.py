"""The behaviour of the server for one stream: that of the service, except for faults that a test asks for."""

from dataclasses import dataclass
from datetime import timedelta

from tests.support.transcribe_service.failures import ServiceFailure

QUIET_SECONDS = 15.0
"""Time without audio after which the service ends a stream, according to its exception."""
PAUSE_SECONDS = 0.5
"""Length of a pause in the audio that ends an utterance. The service's own is not published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One stream. Where seconds are those of audio, they are counted from the first of the stream.

    Args:
        refuse: Answer the request with this instead of a stream.
        mute: Never answer the request at all.
        throw: End the stream with this exception event.
        throw_after: Seconds of audio after which to throw.
        stall_after: Seconds of audio after which no result is sent any more; audio is still read.
        corrupt_after: Seconds of audio after which the CRC of every event is wrong.
        cut_after: Seconds of audio after which the connection is cut; 0: as soon as the request has arrived.
        clock_ahead: The lead of the server's clock: beyond five minutes, signatures have expired.
        clock_ahead_after: Seconds of audio after which the clock has that lead.
        quiet_seconds: Real seconds without audio after which the stream is ended.
        pause_seconds: Seconds of silence in the audio that end an utterance.
        revises: The last word of a partial has an `x` at its end, which the next result removes.
        punctuation: A final result ends with a full stop.
        vocabularies: Custom vocabularies that exist.
        confidence: The confidence of every word of a final result.
    """

    refuse: ServiceFailure | None = None
    mute: bool = False
    throw: ServiceFailure | None = None
    throw_after: float = 0.0
    stall_after: float | None = None
    corrupt_after: float | None = None
    cut_after: float | None = None
    clock_ahead: timedelta = timedelta(0)
    clock_ahead_after: float = 0.0
    quiet_seconds: float = QUIET_SECONDS
    pause_seconds: float = PAUSE_SECONDS
    revises: bool = False
    punctuation: bool = True
    vocabularies: frozenset[str] = frozenset()
    confidence: float = 0.9
