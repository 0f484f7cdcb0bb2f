"""What the server does with one stream: as the service does, unless the test says otherwise."""

from dataclasses import dataclass
from datetime import timedelta

from tests.support.transcribe_service.failures import ServiceFailure

QUIET_SECONDS = 15.0
"""After so long without audio the service ends a stream, as its exception says."""
PAUSE_SECONDS = 0.5
"""A pause of so much audio ends an utterance. The service's own is not published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One stream. Where seconds are those of audio, they are counted from the first of the stream.

    Args:
        refuse: Answer the request with this instead of a stream.
        mute: Never answer the request at all.
        throw: End the stream with this exception event.
        throw_after: Seconds of audio after which to throw.
        stall_after: Seconds of audio after which nothing is sent any more; audio is still taken.
        corrupt_after: Seconds of audio after which the CRC of every event is wrong.
        cut_after: Seconds of audio after which the connection is gone; 0 is as soon as the request is there.
        clock_ahead: How far the server's clock is ahead: beyond five minutes, signatures have expired.
        clock_ahead_after: Seconds of audio after which it is.
        quiet_seconds: Real seconds without audio after which the stream is ended.
        pause_seconds: Seconds of silence in the audio that end an utterance.
        revises: The last word of a partial is another one than it turns out to be, with an `x` at its end.
        punctuation: A final result ends with a full stop.
        vocabularies: Custom vocabularies that exist.
        confidence: Of every word of a final result.
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
