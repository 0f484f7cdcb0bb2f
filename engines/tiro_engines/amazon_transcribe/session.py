"""A live session over the service: its results become partials and finals.

The service decides where an utterance ends, and sends results by itself: `advance` returns those that have come, and
`finalize` ends the service's stream and waits for its last ones.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from tiro_engines.amazon_transcribe.connection import Connection
from tiro_engines.amazon_transcribe.results import RecognitionResult
from tiro_engines.interface import (
    SAMPLE_RATE,
    CommittedContext,
    Endpointing,
    Final,
    OnAudioSent,
    Partial,
    RecognitionOptions,
    Samples,
    SessionOptions,
    SessionUpdate,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnd,
)
from tiro_engines.pcm import float32_to_pcm16

QUIET_SECONDS = 5.0
"""Audio that an open stream has sent this long ago counts as silence when no result has it."""

OpenConnection = Callable[[str | None, int, OnAudioSent], Connection]
"""Opens a connection to the service for a language, from a sample on."""


class AmazonSession:
    """The state of one live session."""

    def __init__(
        self, open_connection: OpenConnection, options: SessionOptions, start: int, context: CommittedContext | None
    ) -> None:
        self._open_connection = open_connection
        self._options = options
        self._skip = context.end - start if context else 0
        self._seconds_sent = 0.0
        self._connection = open_connection(options.recognition.language, start + self._skip, self._count)
        self._settled = self._connection.position
        self._sent: deque[tuple[float, int]] = deque()
        """The times at which the open stream had sent up to a sample."""
        self._stream_number = 0
        """The stream of these times."""
        self._result: RecognitionResult | None = None
        self._committed = 0
        self._shown = False
        self._updates: list[SessionUpdate] = []

    @property
    def checkpoint_sample(self) -> int:
        """Everything before this sample is final, or had no speech; see `EngineSession.checkpoint_sample`."""
        return self._settled

    @property
    def wants_partial(self) -> bool:
        """Whether there is a result that no partial shows, or that was not read."""
        has_results = self._connection.has_results or (self._pending() and not self._shown)
        return self._options.interim_results and has_results

    @property
    def seconds_sent(self) -> float:
        """The audio that all its streams have sent; see `EngineSession.seconds_sent`."""
        return self._seconds_sent

    def advance(self, samples: Samples) -> list[SessionUpdate]:
        """Send samples, and return the updates that have come; see `EngineSession.advance`."""
        samples, self._skip = samples[self._skip :], max(0, self._skip - len(samples))
        if self._connection.is_old and self._result is None:
            self._connection.finish(self._accept)
        pcm = float32_to_pcm16(samples)
        self._accept(self._connection.send(pcm))
        self._settle_silence()
        return self._take_updates()

    def decode_partial(self) -> list[SessionUpdate]:
        """A partial of the newest result, after the updates before it; see `EngineSession.decode_partial`."""
        if not self._options.interim_results:
            return []
        self._accept(self._connection.take())
        updates = self._take_updates()
        if self._result is not None and self._pending() and not self._shown:
            self._shown = True
            end = len(self._result.words)
            updates.append(Partial(self._result.segment(self._committed, end, with_words=self._with_words)))
        return updates

    def configure(self, recognition: RecognitionOptions, endpointing: Endpointing) -> None:
        """Use other options; see `EngineSession.configure`. Another language begins another stream."""
        if recognition.language != self._options.recognition.language:
            connection = self._open_connection(recognition.language, self._connection.position, self._count)
            self._connection.finish(self._accept)
            self._connection = connection
        self._options = replace(self._options, recognition=recognition, endpointing=endpointing)

    def finalize(self) -> list[SessionUpdate]:
        """Wait for the results of all audio, and end the utterance; see `EngineSession.finalize`."""
        self._connection.finish(self._accept)
        at = self._settled = self._connection.position
        self._sent.clear()
        return [*self._take_updates(), UtteranceEnd(at)]

    def close(self) -> None:
        """Close the connection; see `EngineSession.close`."""
        self._connection.close()

    def _count(self, seconds: float) -> None:
        """Count the audio that a stream has sent. Called on the service's thread."""
        self._seconds_sent += seconds

    @property
    def _with_words(self) -> bool:
        return self._options.recognition.word_timestamps

    def _pending(self) -> bool:
        return self._result is not None and len(self._result.words) > self._committed

    def _take_updates(self) -> list[SessionUpdate]:
        taken, self._updates = self._updates, []
        return taken

    def _accept(self, results: list[RecognitionResult]) -> None:
        for result in results:
            if result.words:
                self._accept_one(result)

    def _accept_one(self, result: RecognitionResult) -> None:
        if self._result is None or self._result.result_id != result.result_id:
            self._committed = 0
            self._updates.append(SpeechStarted(result.words[0].word.start))
        self._result, self._shown = result, False
        if result.is_final:
            self._end_utterance(result)
        elif self._pending() and self._length(result) > self._options.endpointing.utterance_seconds_max * SAMPLE_RATE:
            stable = next((i for i, item in enumerate(result.words) if not item.word.stable), len(result.words))
            if stable > self._committed:
                self._commit(result, stable)

    def _length(self, result: RecognitionResult) -> int:
        return result.words[-1].word.end - result.words[self._committed].word.start

    def _end_utterance(self, result: RecognitionResult) -> None:
        end = result.words[-1].word.end
        self._updates.append(SpeechEnded(end))
        if len(result.words) > self._committed:
            self._commit(result, len(result.words))
        self._updates.append(UtteranceEnd(end))
        self._result, self._committed = None, 0

    def _commit(self, result: RecognitionResult, end: int) -> None:
        """Make words final that will not change: those before word `end` that are not final yet."""
        segment = result.segment(self._committed, end, with_words=self._with_words)
        self._updates.append(Final(segment, segment.end))
        self._committed = end
        self._settle(segment.end)

    def _settle(self, sample: int) -> None:
        if sample > self._settled:
            self._settled = sample
            self._connection.settle(sample)

    def _settle_silence(self) -> None:
        """Settle audio that was sent `QUIET_SECONDS` ago and is in no result: it was silence."""
        now = time.monotonic()
        sent, stream = self._connection.sent_until, self._connection.streams_begun
        if sent is None or stream != self._stream_number:
            # Audio that an earlier stream sent may be without a result because that stream broke.
            self._sent.clear()
            self._stream_number = stream
        if sent is not None:
            self._sent.append((now, sent))
        while self._sent and self._sent[0][0] <= now - QUIET_SECONDS:
            _, sample = self._sent.popleft()
            if self._result is None:
                self._settle(sample)
