"""Transcribes windows of recordings: speech is found first, and decoded stretch by stretch.

A stretch is encoded with as much silence as it needs instead of all that fills 30 s, short ones several at once. What
is doubtful there, and what only it can do, is left to faster-whisper's long form.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tiro_engines.faster_whisper.guard import Guard
from tiro_engines.faster_whisper.languages import Languages, SpokenLanguage
from tiro_engines.faster_whisper.long_form import BEAM_SIZE, decode_long_form
from tiro_engines.faster_whisper.repetition import said_once
from tiro_engines.faster_whisper.sentences import sentences
from tiro_engines.faster_whisper.stretches import Stretch, find_stretches, together
from tiro_engines.faster_whisper.tasks import Effort, Task
from tiro_engines.faster_whisper.trust import Generated, is_invented, is_repetitive
from tiro_engines.faster_whisper.windows import SAMPLES_MIN, WhisperWindows
from tiro_engines.interface import (
    DecodingOptions,
    DetectedLanguage,
    RecognitionOptions,
    Samples,
    Segment,
    Window,
    WindowResult,
)
from tiro_engines.windowed.segments import segment_of

PAD_SECONDS = 8
TOGETHER_SECONDS_MAX = {"cpu": 30, "cuda": 480}
"""By device, what is encoded at once. On a CPU the cost of a second hardly depends on it, and a cancellation waits."""
DOUBTED_BELOW = -1.0
"""Log probability. Whisper's own threshold."""


class WhisperRecordings:
    """The recordings that one loaded model transcribes. Safe to share between threads."""

    def __init__(self, whisper: Any, languages: Languages, windows: WhisperWindows) -> None:
        self._whisper = whisper
        self._languages = languages
        self._windows = windows
        self._together_seconds = TOGETHER_SECONDS_MAX[whisper.model.device]

    def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None], cancelled: threading.Event
    ) -> WindowResult:
        """Transcribe one window; see `Engine.transcribe`."""
        guard = Guard(emit, cancelled)
        if _asks_for_long_form(options.decoding):
            language = self._long_form(window, options, guard, filter_silence=options.decoding.filter_silence)
        else:
            language = self._by_stretches(window, options, guard)
        return WindowResult(language, dropped=tuple(guard.dropped))

    def _by_stretches(self, window: Window, options: RecognitionOptions, guard: Guard) -> DetectedLanguage | None:
        guard.leave_if_cancelled()
        found = find_stretches(window.samples)
        stretches = [stretch for stretch in found if stretch.end - stretch.start >= SAMPLES_MIN]
        if not stretches:
            return None
        language = self._language(_samples(window, stretches[0]), options)
        told = replace(options, language=language.code)
        for index, group in enumerate(together(stretches, self._together_seconds, PAD_SECONDS)):
            guard.leave_if_cancelled()
            # As in faster-whisper the prompt is what came before the beginning, and no further.
            prompt = options.decoding.initial_prompt if index == 0 else ""
            self._decode([_piece(window, stretch) for stretch in group], told, prompt, guard)
        guard.leave_if_cancelled()
        return language

    def _language(self, samples: Samples, options: RecognitionOptions) -> DetectedLanguage:
        if options.language is not None:
            return DetectedLanguage(options.language, 1.0)
        if not self._languages.several:
            return DetectedLanguage(next(iter(self._languages.codes)), 1.0)
        code, probability, _ = self._whisper.detect_language(samples)
        return DetectedLanguage(code, float(probability))

    def _decode(self, pieces: Sequence[Window], options: RecognitionOptions, prompt: str, guard: Guard) -> None:
        """Decode stretches together, and those in doubt once more in the long form."""
        heard = self._windows.hear([self._task(piece, options, prompt) for piece in pieces])
        texts = [_clear_text(generated) for generated in heard.generated]
        placed = self._windows.place(heard, [text or [] for text in texts])
        for piece, generated, text, words in zip(pieces, heard.generated, texts, placed, strict=True):
            end = piece.offset + len(piece.samples)
            if text is None:
                self._long_form(piece, options, guard, filter_silence=False)
            elif not words:
                guard.take(Segment(generated.text, piece.offset, end), generated)
            for sentence in sentences(words):
                with_words = options.word_timestamps
                segment = segment_of(sentence, piece.offset, end, heard.language, with_words=with_words)
                guard.take(segment, replace(generated, text=segment.text))

    def _task(self, piece: Window, options: RecognitionOptions, prompt: str) -> Task:
        language = SpokenLanguage(self._whisper, self._languages)
        language.named = options.language
        effort = Effort(PAD_SECONDS, options.decoding.beam_size or BEAM_SIZE)
        encode = self._whisper.hf_tokenizer.encode
        context = encode(f" {prompt.strip()}", add_special_tokens=False).ids if prompt else []
        return Task(piece.samples, effort, language, " ".join(options.hotwords) or None, context=context)

    def _long_form(
        self, window: Window, options: RecognitionOptions, guard: Guard, *, filter_silence: bool
    ) -> DetectedLanguage | None:
        guard.leave_if_cancelled()
        decoded = decode_long_form(self._whisper, window, options, filter_silence=filter_silence)
        for segment, generated in decoded.segments:
            guard.take(segment, generated)
        guard.leave_if_cancelled()
        return decoded.language


def _asks_for_long_form(decoding: DecodingOptions) -> bool:
    """Whether a caller wants what only the long form does."""
    return not decoding.filter_silence or decoding.temperature is not None or decoding.translate


def _clear_text(generated: Generated) -> list[int] | None:
    """The tokens of a text, none of an invented one. None where it is better decoded again, with rising temperature."""
    if is_invented(generated):
        return []
    unlikely = generated.log_probability < DOUBTED_BELOW
    loops = is_repetitive(generated) or said_once(generated.tokens) is not None
    return None if unlikely or loops or generated.unended else generated.tokens


def _samples(window: Window, stretch: Stretch) -> Samples:
    return window.samples[stretch.start : stretch.end]


def _piece(window: Window, stretch: Stretch) -> Window:
    return Window(_samples(window, stretch), window.offset + stretch.start)
