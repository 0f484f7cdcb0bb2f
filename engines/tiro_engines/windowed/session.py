"""A live session of an engine that decodes windows.

Voice activity detection finds speech. During an utterance, the window since the last final is decoded again and again
for partials. The utterance ends with a pause, at its longest length, or by the caller's request: then the window is
decoded once more with a higher effort, and committed. Final or silent samples leave the window, so a session's memory
is bounded by the longest utterance. The end of the last final is kept as context for the next one.
"""

from dataclasses import replace
from typing import Generic, TypeVar

from tiro_engines.interface import (
    SAMPLE_RATE,
    CommittedContext,
    Endpointing,
    Final,
    Partial,
    RecognitionOptions,
    Samples,
    SessionOptions,
    SessionUpdate,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnd,
)
from tiro_engines.windowed.boundaries import best_boundary, best_pause
from tiro_engines.windowed.context import PromptContext, context_at_end
from tiro_engines.windowed.decoder import Hypothesis, PartialWindow, WindowDecoder
from tiro_engines.windowed.endpointer import SPEECH_SAMPLES_MIN, Endpointer, Pause
from tiro_engines.windowed.finals import decode_all
from tiro_engines.windowed.partials import PartialTracker
from tiro_engines.windowed.segments import segment_of
from tiro_engines.windowed.voice import FRAME_SAMPLES, VoiceActivity
from tiro_engines.windowed.window import AudioWindow

LEAD_IN_SAMPLES = 10 * FRAME_SAMPLES
"""The samples kept from before speech begins: voice activity detection is late for soft consonants.

These are whole frames of voice activity, so that an owner that takes over there has the same frames and the same text
as the one before.
"""

LONG_LEAD_IN_SAMPLES = 30 * FRAME_SAMPLES
"""The same where no final is near enough to be context: after a long silence the detection is later."""

HANGOVER_SAMPLES = 10 * FRAME_SAMPLES
"""The samples decoded after the end of speech, for the same reason. Later silence is the next utterance's lead-in."""

BLOCK_SAMPLES = SAMPLE_RATE
"""The size of the blocks in which audio is processed, so that the window is bounded for a call with any length."""

NEW_SPEECH_SAMPLES_MIN = SAMPLE_RATE * 300 // 1000
"""The least new speech for a partial: about the length of a word."""

SPLIT_AFTER_SHARE = 0.4
"""The share of the longest utterance after which it may be split. Splits are few, because words beside a split are
recognized less well."""


D = TypeVar("D", bound=WindowDecoder)


class WindowedSession(Generic[D]):
    """The window, the voice activity and the agreement of one session; see `EngineSession`."""

    def __init__(
        self,
        decoder: D,
        voice: VoiceActivity,
        options: SessionOptions,
        start: int,
        context: CommittedContext | None = None,
    ) -> None:
        self.decoder = decoder
        self._voice = voice
        self._options = options
        self._endpointer = Endpointer(options.endpointing)
        self._context = PromptContext(context) if context else None
        begin = context.end if context else start
        self._partials = PartialTracker(begin)
        self._window = AudioWindow(begin)
        self._frame_start = begin

    @property
    def checkpoint_sample(self) -> int:
        """The beginning of the context, or else of the window; see `EngineSession.checkpoint_sample`."""
        return self._context.committed.start if self._context else self._window.start

    @property
    def wants_partial(self) -> bool:
        """Whether enough speech for another word has come since the last partial was decoded."""
        new_samples = self._endpointer.speech_end - self._partials.decoded_until
        return self._options.interim_results and self._endpointer.speaking and new_samples >= NEW_SPEECH_SAMPLES_MIN

    @property
    def seconds_sent(self) -> float:
        """0: no audio is sent to a service outside; see `EngineSession.seconds_sent`."""
        return 0.0

    def advance(self, samples: Samples) -> list[SessionUpdate]:
        """Process the next samples; see `EngineSession.advance`."""
        if self._context is not None:
            samples = self._context.take_audio(samples)
        updates: list[SessionUpdate] = []
        for begin in range(0, len(samples), BLOCK_SAMPLES):
            updates += self._process(samples[begin : begin + BLOCK_SAMPLES])
        return updates

    def decode_partial(self) -> list[SessionUpdate]:
        """Decode the end of the window; see `EngineSession.decode_partial`."""
        window = self.partial_window()
        return self.accept_partial(self.decoder.decode_partial(window)) if window else []

    def partial_window(self) -> PartialWindow | None:
        """The window of the next partial; None when no partial is wanted."""
        return self._partials.next_window(self._window) if self.wants_partial else None

    def accept_partial(self, hypothesis: Hypothesis) -> list[SessionUpdate]:
        """The partial for the hypothesis of `partial_window`. No other call may be made between the two."""
        updated = self._partials.update(self._window, hypothesis)
        if updated is None:
            return []
        segment = segment_of(
            updated.words,
            self._window.start,
            self._window.end,
            updated.language,
            with_words=self._options.recognition.word_timestamps,
            stable=updated.stable_count,
        )
        return [Partial(segment)]

    def configure(self, recognition: RecognitionOptions, endpointing: Endpointing) -> None:
        """Use other options; see `EngineSession.configure`."""
        self.decoder.configure(recognition)
        if recognition.language != self._options.recognition.language:
            self._context = None
        self._endpointer.configure(endpointing)
        self._options = replace(self._options, recognition=recognition, endpointing=endpointing)

    def finalize(self) -> list[SessionUpdate]:
        """Make everything processed so far final; see `EngineSession.finalize`."""
        at = self._window.end
        ended = [SpeechEnded(at)] if self._endpointer.speaking else []
        return [*ended, *self._end_utterance(at)]

    def close(self) -> None:
        """Do nothing: the session holds no resources outside."""

    def _process(self, samples: Samples) -> list[SessionUpdate]:
        self._window.append(samples)
        updates: list[SessionUpdate] = []
        for probability in self._voice.probabilities(samples):
            start, self._frame_start = self._frame_start, self._frame_start + self._voice.frame_samples
            updates += self._accept_frame(start, self._frame_start, probability)
        return updates

    def _accept_frame(self, start: int, end: int, probability: float) -> list[SessionUpdate]:
        match self._endpointer.accept_frame(start, end, probability):
            case SpeechStarted(at):
                self._trim(at - self._lead_in(at))
                begun = max(at, self._window.start)  # a frame may begin before what was finalized
                self._partials.restart(self._window.start, decoded_until=begun)
                return [SpeechStarted(begun)]
            case SpeechEnded(at):
                return [SpeechEnded(at), *self._end_utterance(max(self._window.start, min(end, at + HANGOVER_SAMPLES)))]
        if not self._endpointer.speaking:
            self._trim(end - LONG_LEAD_IN_SAMPLES - SPEECH_SAMPLES_MIN)
        elif end - self._window.start >= self._utterance_samples_max():
            return self._split_utterance(end)
        return []

    def _lead_in(self, at: int) -> int:
        """The samples to keep from before speech that begins at the sample `at`."""
        near = self._context is not None and self._context.is_near(at - LEAD_IN_SAMPLES)
        return LEAD_IN_SAMPLES if near else LONG_LEAD_IN_SAMPLES

    def _end_utterance(self, at: int) -> list[SessionUpdate]:
        updates: list[SessionUpdate] = []
        if self._endpointer.speech_end > self._window.start:  # otherwise a split has committed all the speech
            updates += self._commit(self._decode_final(at), at)
        self._endpointer.reset()
        self._continue_at(at)
        return [*updates, UtteranceEnd(at)]

    def _split_utterance(self, end: int) -> list[SessionUpdate]:
        """Commit the front of the window, up to a pause, or else up to a word boundary. The utterance continues."""
        after = round(self._utterance_samples_max() * SPLIT_AFTER_SHARE)
        if pause := best_pause(self._endpointer.pauses(self._window.start + after, end)):
            at = self._on_frame(pause.middle)
            hypothesis = self._decode_final(at)
        else:
            at, hypothesis = self._front(self._decode_final(end), end, after)
        updates = self._commit(hypothesis, at)
        self._endpointer.split(at)
        self._continue_at(at)
        return updates

    def _on_frame(self, at: int) -> int:
        """The last beginning of a frame of voice activity up to the sample `at`."""
        return at - (at - self._frame_start) % self._voice.frame_samples

    def _utterance_samples_max(self) -> int:
        return round(SAMPLE_RATE * min(self._options.endpointing.utterance_seconds_max, self.decoder.seconds_max))

    def _decode_final(self, at: int) -> Hypothesis:
        """Decode the window up to `at`, beginning with the stable words that end before it where they are frozen."""
        start, samples = self._window.start, self._window.until(at)
        context = self._context.for_window(start, len(samples)) if self._context else None
        if self._options.freeze_stable and (prefix := self._partials.stable_until(at)):
            return self.decoder.decode_final(samples, prefix, context)
        pauses = [
            Pause(pause.start - start, min(pause.end, at) - start)
            for pause in self._endpointer.pauses(start, at)
            if pause.start < at
        ]
        return decode_all(self.decoder, samples, pauses, context)

    def _front(self, hypothesis: Hypothesis, end: int, after: int) -> tuple[int, Hypothesis]:
        """The sample at which to split between two words, and the words before it."""
        count = best_boundary(hypothesis.words, after)
        if count is None:
            return end, hypothesis
        last, following = hypothesis.words[count - 1], hypothesis.words[count]
        at = self._on_frame(self._window.start + (last.end + following.start) // 2)
        return at, replace(hypothesis, words=hypothesis.words[:count])

    def _commit(self, hypothesis: Hypothesis, at: int) -> list[SessionUpdate]:
        if not hypothesis.words:
            return []
        with_words = self._options.recognition.word_timestamps
        segment = segment_of(hypothesis.words, self._window.start, at, hypothesis.language, with_words=with_words)
        self._context = context_at_end(hypothesis.words, self._window, at)
        return [Final(segment, resume_at=at, context=self._context.committed, warnings=hypothesis.warnings)]

    def _continue_at(self, at: int) -> None:
        """Continue after the sample `at`: everything before it is final."""
        self._trim(at)
        self._partials.restart(at, decoded_until=at)

    def _trim(self, start: int) -> None:
        """Drop the samples before `start`, and the context once it is too far from the window to help."""
        self._window.trim(start)
        if self._context is not None and not self._context.is_near(self._window.start):
            self._context = None
