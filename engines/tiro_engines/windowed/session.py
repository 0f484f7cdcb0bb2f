"""A live session of an engine that decodes windows.

Voice activity says where speech is. While it lasts, the window since the last final is decoded again and again for
partials. A pause, the longest utterance allowed or the caller closes it: it is decoded once more, with care, and
committed. What is final or silent leaves the window, so a session's memory is bounded by the longest utterance. The end
of the last final is kept as context for the next one.
"""

from dataclasses import replace
from typing import Generic, TypeVar

from tiro_engines.interface import (
    SAMPLE_RATE,
    Endpointing,
    Final,
    Partial,
    RecognitionOptions,
    Samples,
    SessionOptions,
    SessionUpdate,
    SpeechEnded,
    SpeechStarted,
    Spoken,
    UtteranceEnd,
)
from tiro_engines.windowed.boundaries import best_boundary, best_pause
from tiro_engines.windowed.context import PromptContext, end_of
from tiro_engines.windowed.decoder import Decoded, PartialWindow, WindowDecoder
from tiro_engines.windowed.endpointer import SPEECH_SAMPLES_MIN, Endpointer, Pause
from tiro_engines.windowed.finals import decode_all
from tiro_engines.windowed.partials import Partials
from tiro_engines.windowed.segments import segment_of
from tiro_engines.windowed.voice import FRAME_SAMPLES, VoiceActivity
from tiro_engines.windowed.window import AudioWindow

LEAD_IN_SAMPLES = 10 * FRAME_SAMPLES
"""Kept from before speech begins: voice activity notices soft consonants late. Whole frames of voice activity: an owner
that goes on from there hears the same frames as the one before, and so the same text.
"""

HANGOVER_SAMPLES = 10 * FRAME_SAMPLES
"""Decoded after speech has ended, for the same reasons. What is left of the silence is the next utterance's lead-in."""

BLOCK_SAMPLES = SAMPLE_RATE
"""Audio is taken in steps of this size, so that the window stays bounded however much one call brings."""

NEWS_SAMPLES_MIN = SAMPLE_RATE * 300 // 1000
"""A word lasts about so long: with less new speech a partial would show nothing new."""

CUT_AFTER_SHARE = 0.4
"""A too long utterance is cut behind this share of it: a cut harms the words beside it, so there should be few."""


D = TypeVar("D", bound=WindowDecoder)


class LiveSession(Generic[D]):
    """One session's window, voice activity and agreement; see `EngineSession`."""

    def __init__(
        self, decoder: D, voice: VoiceActivity, options: SessionOptions, start: int, spoken: Spoken | None = None
    ) -> None:
        self.decoder = decoder
        self._voice = voice
        self._options = options
        self._endpointer = Endpointer(options.endpointing)
        self._said = PromptContext(spoken) if spoken else None
        begin = spoken.until if spoken else start
        self._partials = Partials(begin)
        self._window = AudioWindow(begin)
        self._frame_start = begin

    @property
    def settled_at(self) -> int:
        """Where the context of what follows begins, or else the window."""
        return self._said.spoken.start if self._said else self._window.start

    @property
    def wants_partial(self) -> bool:
        """Whether enough speech for another word has come since the last partial was decoded."""
        fresh = self._endpointer.speech_end - self._partials.decoded_until
        return self._options.interim_results and self._endpointer.speaking and fresh >= NEWS_SAMPLES_MIN

    @property
    def seconds_sent(self) -> float:
        """Nothing leaves; see `EngineSession.seconds_sent`."""
        return 0.0

    def advance(self, samples: Samples) -> list[SessionUpdate]:
        """Take the next samples; see `EngineSession.advance`."""
        if self._said is not None:
            samples = self._said.hear(samples)
        updates: list[SessionUpdate] = []
        for begin in range(0, len(samples), BLOCK_SAMPLES):
            updates += self._take(samples[begin : begin + BLOCK_SAMPLES])
        return updates

    def decode_partial(self) -> list[SessionUpdate]:
        """Decode the end of the window; see `EngineSession.decode_partial`."""
        window = self.next_partial()
        return self.show_partial(self.decoder.decode_partial(window)) if window else []

    def next_partial(self) -> PartialWindow | None:
        """What the decoder has to decode for the next partial; None when none is wanted."""
        return self._partials.next(self._window) if self.wants_partial else None

    def show_partial(self, decoded: Decoded) -> list[SessionUpdate]:
        """Say how the text looks now that `next_partial` is decoded. No call may have come between."""
        shown = self._partials.show(self._window, decoded)
        if shown is None:
            return []
        with_words = self._options.recognition.word_timestamps
        segment = segment_of(
            shown.words,
            self._window.start,
            self._window.end,
            shown.language,
            with_words=with_words,
            stable=shown.stable_count,
        )
        return [Partial(segment)]

    def configure(self, recognition: RecognitionOptions, endpointing: Endpointing) -> None:
        """Take other options; see `EngineSession.configure`."""
        self.decoder.configure(recognition)
        if recognition.language != self._options.recognition.language:
            self._said = None
        self._endpointer.configure(endpointing)
        self._options = replace(self._options, recognition=recognition, endpointing=endpointing)

    def finalize(self) -> list[SessionUpdate]:
        """Make everything heard so far final; see `EngineSession.finalize`."""
        at = self._window.end
        ended = [SpeechEnded(at)] if self._endpointer.speaking else []
        return [*ended, *self._end_utterance(at)]

    def close(self) -> None:
        """Nothing is held outside."""

    def _take(self, samples: Samples) -> list[SessionUpdate]:
        self._window.append(samples)
        updates: list[SessionUpdate] = []
        for probability in self._voice.probabilities(samples):
            start, self._frame_start = self._frame_start, self._frame_start + self._voice.frame_samples
            updates += self._hear(start, self._frame_start, probability)
        return updates

    def _hear(self, start: int, end: int, probability: float) -> list[SessionUpdate]:
        match self._endpointer.hear(start, end, probability):
            case SpeechStarted(at):
                self._trim(at - LEAD_IN_SAMPLES)
                begun = max(at, self._window.start)  # a frame may begin before what was finalized
                self._partials.restart(begun)
                return [SpeechStarted(begun)]
            case SpeechEnded(at):
                return [SpeechEnded(at), *self._end_utterance(max(self._window.start, min(end, at + HANGOVER_SAMPLES)))]
        if not self._endpointer.speaking:
            self._trim(end - LEAD_IN_SAMPLES - SPEECH_SAMPLES_MIN)
        elif end - self._window.start >= self._longest():
            return self._cut_utterance(end)
        return []

    def _end_utterance(self, at: int) -> list[SessionUpdate]:
        updates: list[SessionUpdate] = []
        if self._endpointer.speech_end > self._window.start:  # else a cut has committed all the speech there was
            updates += self._commit(self._decode_final(at), at)
        self._endpointer.reset()
        self._close(at)
        return [*updates, UtteranceEnd(at)]

    def _cut_utterance(self, end: int) -> list[SessionUpdate]:
        """Commit the front of the window, up to a pause or failing that a word boundary; speech goes on after it."""
        after = round(self._longest() * CUT_AFTER_SHARE)
        if pause := best_pause(self._endpointer.pauses(self._window.start + after, end)):
            at = self._on_frame(pause.middle)
            decoded = self._decode_final(at)
        else:
            at, decoded = self._front(self._decode_final(end), end, after)
        updates = self._commit(decoded, at)
        self._endpointer.cut(at)
        self._close(at)
        return updates

    def _on_frame(self, at: int) -> int:
        """The last beginning of a frame of voice activity up to the sample `at`."""
        return at - (at - self._frame_start) % self._voice.frame_samples

    def _longest(self) -> int:
        return round(SAMPLE_RATE * min(self._options.endpointing.utterance_seconds_max, self.decoder.seconds_max))

    def _decode_final(self, at: int) -> Decoded:
        """Decode the window up to `at`, beginning with the stable words that end before it where they are frozen."""
        start, samples = self._window.start, self._window.until(at)
        context = self._said.before(start, len(samples)) if self._said else None
        if self._options.freeze_stable and (agreed := self._partials.stable_until(at)):
            return self.decoder.decode_final(samples, agreed, context)
        pauses = [
            Pause(pause.start - start, min(pause.end, at) - start)
            for pause in self._endpointer.pauses(start, at)
            if pause.start < at
        ]
        return decode_all(self.decoder, samples, pauses, context)

    def _front(self, decoded: Decoded, end: int, after: int) -> tuple[int, Decoded]:
        count = best_boundary(decoded.words, after)
        if count is None:
            return end, decoded
        last, following = decoded.words[count - 1], decoded.words[count]
        at = self._on_frame(self._window.start + (last.end + following.start) // 2)
        return at, Decoded(decoded.words[:count], decoded.language)

    def _commit(self, decoded: Decoded, at: int) -> list[SessionUpdate]:
        if not decoded.words:
            return []
        with_words = self._options.recognition.word_timestamps
        segment = segment_of(decoded.words, self._window.start, at, decoded.language, with_words=with_words)
        self._said = end_of(decoded.words, self._window, at)
        return [Final(segment, resume_at=at, context=self._said.spoken)]

    def _close(self, at: int) -> None:
        """Go on behind the sample `at`: everything before it is final."""
        self._trim(at)
        self._partials.restart(at)

    def _trim(self, start: int) -> None:
        """Let go of the samples before `start`, and of what was said before once it lies too far behind to help."""
        self._window.trim(start)
        if self._said is not None and not self._said.helps(self._window.start):
            self._said = None
