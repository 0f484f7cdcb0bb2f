"""The fake engine's live session: markers become partials and finals as spoken words would.

Finals depend on the samples alone, not on how they were divided into calls. A word that is incomplete when the session
is finalized belongs to the next utterance.

Like engines that recognize better with context, a session has its last final as context. A session that continues it
gets the audio of that final again.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tiro_engines.fake.markers import MARKER_SAMPLES, Marker, find, first_sound
from tiro_engines.fake.words import segment_of, spoken_language, word_of
from tiro_engines.interface import (
    SAMPLE_RATE,
    CommittedContext,
    Endpointing,
    Final,
    Partial,
    RecognitionOptions,
    Samples,
    Segment,
    SessionOptions,
    SessionUpdate,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnd,
    Word,
)

CONTEXT_GAP_SAMPLES_MAX = SAMPLE_RATE
"""The longest silence after which the last word is still context."""


class FakeSession:
    """The words since the last final, and the samples that may hold the beginning of the next one."""

    def __init__(
        self,
        options: SessionOptions,
        start: int,
        context: CommittedContext | None,
        require_language: Callable[[str | None], None],
    ) -> None:
        self._options = options
        self._require_language = require_language
        self._unread: Samples = np.zeros(0, dtype=np.float32)
        self._unread_start = context.end if context else start
        self._context = context
        self._context_missing = self._unread_start - start
        self._words: list[Word] = []
        self._shown = 0

    @property
    def seconds_sent(self) -> float:
        """0: no audio is sent to a service outside; see `EngineSession.seconds_sent`."""
        return 0.0

    def advance(self, samples: Samples) -> list[SessionUpdate]:
        """Process the next samples; see `EngineSession.advance`."""
        context, samples = samples[: self._context_missing], samples[self._context_missing :]
        self._context_missing -= len(context)
        self._unread = np.concatenate((self._unread, samples))
        updates: list[SessionUpdate] = []
        for marker in list(find(self._unread)):
            updates += self._take(marker)
        self._drop_read()
        return [*updates, *self._close_if_silent(until=self._unread_start)]

    @property
    def checkpoint_sample(self) -> int:
        """The beginning of the last final word while it is context, else of the samples that may hold words."""
        start = self._words[0].start if self._words else self._unread_start
        context = self._context
        return context.start if context and start - context.end <= CONTEXT_GAP_SAMPLES_MAX else start

    @property
    def wants_partial(self) -> bool:
        """Whether there is a word that is in no partial."""
        return self._options.interim_results and len(self._words) > self._shown

    def decode_partial(self) -> list[SessionUpdate]:
        """A partial of the words; see `EngineSession.decode_partial`."""
        if not self.wants_partial:
            return []
        partial = Partial(self._segment(stable=self._shown))
        self._shown = len(self._words)
        return [partial]

    def configure(self, recognition: RecognitionOptions, endpointing: Endpointing) -> None:
        """Use other options; see `EngineSession.configure`."""
        self._require_language(recognition.language)
        self._options = replace(self._options, recognition=recognition, endpointing=endpointing)

    def finalize(self) -> list[SessionUpdate]:
        """Make the words so far final; see `EngineSession.finalize`."""
        at = self._unread_start
        return self._close(at) if self._words else [UtteranceEnd(at)]

    def close(self) -> None:
        """Do nothing: the session holds no resources outside."""

    def _take(self, marker: Marker) -> list[SessionUpdate]:
        word = word_of(marker, self._unread_start)
        updates = self._close_if_silent(until=word.start)
        if self._words and word.end - self._words[0].start > self._longest():
            updates.append(self._commit(word.start))
        elif not self._words:
            updates.append(SpeechStarted(word.start))
        self._words.append(word)
        return updates

    def _close_if_silent(self, until: int) -> list[SessionUpdate]:
        if not self._words or until - self._words[-1].end < self._silence():
            return []
        return self._close(self._words[-1].end + self._silence())

    def _silence(self) -> int:
        return SAMPLE_RATE * self._options.endpointing.silence_ms // 1000

    def _longest(self) -> int:
        return round(SAMPLE_RATE * self._options.endpointing.utterance_seconds_max)

    def _close(self, at: int) -> list[SessionUpdate]:
        ended = SpeechEnded(self._words[-1].end)
        return [ended, self._commit(at), UtteranceEnd(at)]

    def _commit(self, resume_at: int) -> Final:
        last = self._words[-1]
        self._context = CommittedContext(last.text, last.start, resume_at)
        final = Final(self._segment(), resume_at, self._context)
        self._words.clear()
        self._shown = 0
        return final

    def _segment(self, stable: int | None = None) -> Segment:
        return segment_of(
            self._words,
            language=spoken_language(self._options.recognition),
            word_timestamps=self._options.recognition.word_timestamps,
            stable=stable,
        )

    def _drop_read(self) -> None:
        """Keep the samples that may begin a marker: from the first sound after the last word."""
        position = self._unread_start + len(self._unread)
        read = max((word.end for word in self._words[-1:]), default=self._unread_start)
        rest = self._unread[max(0, read - self._unread_start) :]
        sound = first_sound(rest)
        rest = rest[sound:][-(MARKER_SAMPLES - 1) :] if sound is not None else rest[:0]
        self._unread, self._unread_start = rest, position - len(rest)
