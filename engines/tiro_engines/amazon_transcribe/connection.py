"""The streams of one session, one after the other: a new one replaces one that broke or reached its time limit."""

import time
from collections.abc import Callable

from tiro_engines.amazon_transcribe.replay import Pcm16, Replay
from tiro_engines.amazon_transcribe.results import RecognitionResult, to_result
from tiro_engines.amazon_transcribe.stream import Stream
from tiro_engines.backoff import backoff
from tiro_engines.interface import SAMPLE_RATE, EngineRefused

FAULTS_MAX = 5
"""Consecutive streams that may break without a final result."""
BACKOFF_SECONDS = 0.5
BACKOFF_SECONDS_MAX = 8.0
STREAM_SECONDS_MAX = 3.75 * 3600
"""A quarter of an hour less than the service's limit, which leaves time to wait for a pause."""

OpenStream = Callable[[int], Stream]
"""Opens a stream whose first sample has this number in the session."""


class Connection:
    """Sends audio to the service and returns its results, over one stream after the other."""

    def __init__(self, open_stream: OpenStream, start: int, language: str) -> None:
        self.open_stream = open_stream
        self.language = language
        self._replay = Replay(start)
        self._stream: Stream | None = None
        self._faults = 0
        self._next_try = 0.0
        self.streams_begun = 0

    @property
    def position(self) -> int:
        """The next sample."""
        return self._replay.end

    @property
    def sent_until(self) -> int | None:
        """The sample up to which the open stream has sent. None where no stream is open."""
        if self._stream is None or self._stream.has_ended:
            return None
        return self._stream.origin + round(self._stream.seconds_sent * SAMPLE_RATE)

    @property
    def is_old(self) -> bool:
        """Whether the stream is to be replaced at the next pause."""
        return self._stream is not None and self.position - self._stream.origin > STREAM_SECONDS_MAX * SAMPLE_RATE

    @property
    def has_results(self) -> bool:
        """Whether there are results that the caller has not taken."""
        return self._stream is not None and self._stream.has_results

    def send(self, pcm: Pcm16) -> list[RecognitionResult]:
        """Send audio, and return the results that have come meanwhile.

        Raises:
            EngineRefused: The service refuses the session.
            EngineUnavailable: The service did not answer for too long.
        """
        results = self.take()
        if self._stream is None and time.monotonic() >= self._next_try:
            self._connect()
        self._replay.push(pcm)
        if self._stream is not None:
            self._stream.send(pcm.tobytes())
        return [*results, *self.take()]

    def settle(self, sample: int) -> None:
        """Note that nothing before this sample needs to be sent again."""
        self._replay.drop_before(sample)
        self._faults = 0

    def finish(self, note: Callable[[list[RecognitionResult]], None]) -> None:
        """End the stream and wait for the results of all audio. The next sample begins a new stream.

        Args:
            note: Takes the results, and calls `settle` for what is final.

        Raises:
            EngineRefused: The service refuses the session.
            EngineUnavailable: The service did not answer for too long.
        """
        while self._stream is not None or self._replay.start < self.position:
            if self._stream is None:
                time.sleep(max(0.0, self._next_try - time.monotonic()))
                self._connect()
            elif self._end(self._stream, note):
                break
        self._replay.drop_before(self.position)

    def _end(self, stream: Stream, note: Callable[[list[RecognitionResult]], None]) -> bool:
        """End the stream. Returns whether it has processed everything."""
        stream.end()
        note(self.take())
        self._stream = None
        return stream.fault is None and not stream.was_quiet

    def close(self) -> None:
        """Close the stream."""
        if (stream := self._stream) is not None:
            stream.close()

    def take(self) -> list[RecognitionResult]:
        """The results since the last time. A stream that has broken is dropped, and its fault counted.

        Raises:
            EngineRefused: The service refuses the session.
            EngineUnavailable: The service did not answer for too long.
        """
        if self._stream is None:
            return []
        stream, ended = self._stream, self._stream.has_ended
        results = [to_result(result, stream.origin, self.language) for result in stream.take()]
        if ended and stream.fault is not None:
            self._stream = None
            self._faults += 1
            if isinstance(stream.fault, EngineRefused) or self._faults >= FAULTS_MAX:
                raise stream.fault
            delay = backoff(self._faults, first_seconds=BACKOFF_SECONDS, seconds_max=BACKOFF_SECONDS_MAX)
            self._next_try = time.monotonic() + delay
        elif ended:
            self._stream = None
        return results

    def _connect(self) -> None:
        """Begin a stream at the first sample that is not settled, and send the audio from there on."""
        self.streams_begun += 1
        self._stream = stream = self.open_stream(self._replay.start)
        stream.send(self._replay.bytes())
