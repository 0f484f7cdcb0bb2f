"""A live session over the service: its results become partials and finals.

The service decides where an utterance ends. Finals are decoded by nobody here, so `advance` returns what has come by
itself; `finalize` ends the service's stream and waits for its last words.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from tiro_engines.amazon_transcribe.connection import Connection
from tiro_engines.amazon_transcribe.results import Heard
from tiro_engines.interface import (
    SAMPLE_RATE,
    Endpointing,
    Final,
    Partial,
    RecognitionOptions,
    Samples,
    Sent,
    SessionOptions,
    SessionUpdate,
    SpeechEnded,
    SpeechStarted,
    Spoken,
    UtteranceEnd,
)
from tiro_engines.pcm import float32_to_pcm16

QUIET_SECONDS = 5.0
"""What a stream that is still open has sent so long ago, and of which the service says nothing, held no speech."""

OpenConnection = Callable[[str | None, int, Sent], Connection]
"""Speaks to the service in a language, from a sample on, and tells of audio that has left."""


class AmazonSession:
    """The state of one live session."""

    def __init__(
        self, open_connection: OpenConnection, options: SessionOptions, start: int, spoken: Spoken | None
    ) -> None:
        self._open_connection = open_connection
        self._options = options
        self._skip = spoken.until - start if spoken else 0
        self._seconds_sent = 0.0
        self._connection = open_connection(options.recognition.language, start + self._skip, self._count)
        self._settled = self._connection.position
        self._sent: deque[tuple[float, int]] = deque()
        """When which sample had been sent, by the stream that is open."""
        self._listening = 0
        """Which stream that is, by number."""
        self._heard: Heard | None = None
        self._committed = 0
        self._shown = False
        self._updates: list[SessionUpdate] = []

    @property
    def settled_at(self) -> int:
        """Everything before is final, or nothing was heard in it; see `EngineSession.settled_at`."""
        return self._settled

    @property
    def wants_partial(self) -> bool:
        """Whether the service has said something that was not shown, or not even read."""
        news = self._connection.has_news or (self._pending() and not self._shown)
        return self._options.interim_results and news

    @property
    def seconds_sent(self) -> float:
        """What its streams have sent, one after the other; see `EngineSession.seconds_sent`."""
        return self._seconds_sent

    def advance(self, samples: Samples) -> list[SessionUpdate]:
        """Send samples, and return what has become of those before; see `EngineSession.advance`."""
        samples, self._skip = samples[self._skip :], max(0, self._skip - len(samples))
        if self._connection.is_old and self._heard is None:
            self._connection.finish(self._note)
        pcm = float32_to_pcm16(samples)
        self._note(self._connection.send(pcm))
        self._settle_silence()
        return self._take_updates()

    def decode_partial(self) -> list[SessionUpdate]:
        """Show the newest result, behind what has become final before it; see `EngineSession.decode_partial`."""
        if not self._options.interim_results:
            return []
        self._note(self._connection.take())
        updates = self._take_updates()
        if self._heard is not None and self._pending() and not self._shown:
            self._shown = True
            end = len(self._heard.words)
            updates.append(Partial(self._heard.segment(self._committed, end, with_words=self._with_words)))
        return updates

    def configure(self, recognition: RecognitionOptions, endpointing: Endpointing) -> None:
        """Take other options; see `EngineSession.configure`. Another language begins another stream."""
        if recognition.language != self._options.recognition.language:
            connection = self._open_connection(recognition.language, self._connection.position, self._count)
            self._connection.finish(self._note)
            self._connection = connection
        self._options = replace(self._options, recognition=recognition, endpointing=endpointing)

    def finalize(self) -> list[SessionUpdate]:
        """Hear everything that was sent, and end the utterance; see `EngineSession.finalize`."""
        self._connection.finish(self._note)
        at = self._settled = self._connection.position
        self._sent.clear()
        return [*self._take_updates(), UtteranceEnd(at)]

    def close(self) -> None:
        """Leave the service; see `EngineSession.close`."""
        self._connection.close()

    def _count(self, seconds: float) -> None:
        """Called on the service's thread, for all streams."""
        self._seconds_sent += seconds

    @property
    def _with_words(self) -> bool:
        return self._options.recognition.word_timestamps

    def _pending(self) -> bool:
        return self._heard is not None and len(self._heard.words) > self._committed

    def _take_updates(self) -> list[SessionUpdate]:
        taken, self._updates = self._updates, []
        return taken

    def _note(self, results: list[Heard]) -> None:
        for heard in results:
            if heard.words:
                self._take(heard)

    def _take(self, heard: Heard) -> None:
        if self._heard is None or self._heard.result_id != heard.result_id:
            self._committed = 0
            self._updates.append(SpeechStarted(heard.words[0].word.start))
        self._heard, self._shown = heard, False
        if heard.is_final:
            self._close(heard)
        elif self._pending() and self._length(heard) > self._options.endpointing.utterance_seconds_max * SAMPLE_RATE:
            stable = next((i for i, item in enumerate(heard.words) if not item.word.stable), len(heard.words))
            if stable > self._committed:
                self._commit(heard, stable)

    def _length(self, heard: Heard) -> int:
        return heard.words[-1].word.end - heard.words[self._committed].word.start

    def _close(self, heard: Heard) -> None:
        end = heard.words[-1].word.end
        self._updates.append(SpeechEnded(end))
        if len(heard.words) > self._committed:
            self._commit(heard, len(heard.words))
        self._updates.append(UtteranceEnd(end))
        self._heard, self._committed = None, 0

    def _commit(self, heard: Heard, end: int) -> None:
        """Make words final that will not change: the first ones up to `end` that are not final yet."""
        segment = heard.segment(self._committed, end, with_words=self._with_words)
        self._updates.append(Final(segment, segment.end))
        self._committed = end
        self._settle(segment.end)

    def _settle(self, sample: int) -> None:
        if sample > self._settled:
            self._settled = sample
            self._connection.settle(sample)

    def _settle_silence(self) -> None:
        """What was sent some time ago and is in no result was silence."""
        now = time.monotonic()
        sent, stream = self._connection.sent_until, self._connection.streams_begun
        if sent is None or stream != self._listening:
            # What another stream was sent, it may not have had the time to speak of.
            self._sent.clear()
            self._listening = stream
        if sent is not None:
            self._sent.append((now, sent))
        while self._sent and self._sent[0][0] <= now - QUIET_SECONDS:
            _, sample = self._sent.popleft()
            if self._heard is None:
                self._settle(sample)
