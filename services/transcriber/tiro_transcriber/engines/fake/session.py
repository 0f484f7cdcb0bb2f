"""The fake engine's live session: markers become partials and finals as spoken words would.

What becomes final depends on the samples alone, never on how they were cut into calls. A word that was only half heard
when the session is finalized belongs to the next utterance.
"""

import numpy as np

from tiro_transcriber.engines.fake.markers import MARKER_SAMPLES, Marker, find, first_sound
from tiro_transcriber.engines.fake.words import segment_of, word_of
from tiro_transcriber.engines.interface import (
    SAMPLE_RATE,
    Final,
    Partial,
    Samples,
    Segment,
    SessionOptions,
    SessionUpdate,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnd,
    Word,
)


class FakeSession:
    """The words since the last final, and the samples that may hold the beginning of the next one."""

    def __init__(self, options: SessionOptions, start: int, *, language: str) -> None:
        self._options = options
        self._language = language
        self._silence = SAMPLE_RATE * options.endpointing.silence_ms // 1000
        self._longest = round(SAMPLE_RATE * options.endpointing.utterance_seconds_max)
        self._unread: Samples = np.zeros(0, dtype=np.float32)
        self._unread_start = start
        self._words: list[Word] = []
        self._shown = 0

    def advance(self, samples: Samples) -> list[SessionUpdate]:
        """Take the next samples; see `EngineSession.advance`."""
        self._unread = np.concatenate((self._unread, samples))
        updates: list[SessionUpdate] = []
        for marker in list(find(self._unread)):
            updates += self._take(marker)
        self._drop_read()
        updates += self._close_if_silent(until=self._unread_start)
        if self._options.interim_results and len(self._words) > self._shown:
            updates.append(Partial(self._segment(stable=self._shown)))
            self._shown = len(self._words)
        return updates

    def finalize(self) -> list[SessionUpdate]:
        """Make the words heard so far final; see `EngineSession.finalize`."""
        at = self._unread_start
        return self._close(at) if self._words else [UtteranceEnd(at)]

    def _take(self, marker: Marker) -> list[SessionUpdate]:
        word = word_of(marker, self._unread_start)
        updates = self._close_if_silent(until=word.start)
        if self._words and word.end - self._words[0].start > self._longest:
            updates.append(self._commit(word.start))
        elif not self._words:
            updates.append(SpeechStarted(word.start))
        self._words.append(word)
        return updates

    def _close_if_silent(self, until: int) -> list[SessionUpdate]:
        if not self._words or until - self._words[-1].end < self._silence:
            return []
        return self._close(self._words[-1].end + self._silence)

    def _close(self, at: int) -> list[SessionUpdate]:
        ended = SpeechEnded(self._words[-1].end)
        return [ended, self._commit(at), UtteranceEnd(at)]

    def _commit(self, resume_at: int) -> Final:
        final = Final(self._segment(), resume_at)
        self._words.clear()
        self._shown = 0
        return final

    def _segment(self, stable: int | None = None) -> Segment:
        return segment_of(
            self._words,
            language=self._language,
            word_timestamps=self._options.recognition.word_timestamps,
            stable=stable,
        )

    def _drop_read(self) -> None:
        """Keep what may be the beginning of a marker: from the first sound after the last word."""
        position = self._unread_start + len(self._unread)
        read = max((word.end for word in self._words[-1:]), default=self._unread_start)
        rest = self._unread[max(0, read - self._unread_start) :]
        sound = first_sound(rest)
        rest = rest[sound:][-(MARKER_SAMPLES - 1) :] if sound is not None else rest[:0]
        self._unread, self._unread_start = rest, position - len(rest)
