"""Transcribes windows of recordings: speech is found first, and decoded segment by segment.

A speech segment is encoded with a pad of 8 s instead of one that fills 30 s, and short segments are decoded in one
batch. Segments that are rejected, and windows with options that only it has, are decoded by faster-whisper's long form.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tiro_engines.faster_whisper.batch_decoder import REPEATED_TOKENS, SAMPLES_MIN, BatchDecoder, DecodedBatch, loops
from tiro_engines.faster_whisper.echoes import echo_in, is_confirmed
from tiro_engines.faster_whisper.generated import Generated, is_hallucinated
from tiro_engines.faster_whisper.hallucination_filter import FASTER_THAN_SPEECH, HallucinationFilter
from tiro_engines.faster_whisper.languages import Languages, SpokenLanguage
from tiro_engines.faster_whisper.long_form import BEAM_SIZE, decode_long_form
from tiro_engines.faster_whisper.prompts import fitted, without_prompt
from tiro_engines.faster_whisper.sentences import sentences
from tiro_engines.faster_whisper.speech_segments import SEGMENT_SECONDS_MAX, batches, find_speech_segments
from tiro_engines.faster_whisper.speech_stretches import SpeechSegment, speech_stretches
from tiro_engines.faster_whisper.tasks import DecodingTask, Effort
from tiro_engines.interface import (
    SAMPLE_RATE,
    DecodingOptions,
    DetectedLanguage,
    RecognitionOptions,
    Samples,
    Segment,
    Window,
    WindowResult,
)
from tiro_engines.windowed.decoder import DecodedWord
from tiro_engines.windowed.segments import segment_of
from tiro_engines.windowed.silero import SileroModel, speech_probabilities
from tiro_engines.windowed.voice import FRAME_SAMPLES

PAD_SECONDS = 8
BATCH_SECONDS_MAX = {"cpu": 30, "cuda": 480}
"""By device, the seconds of audio that are encoded at once. On a CPU larger batches are no faster, and a cancellation
waits for the batch."""
HALF_SAMPLES_MIN = 3 * SAMPLE_RATE
"""The shortest half of a segment whose text loops. A shorter one has too little context."""
LONG_FORM_PAUSE_FRAMES_MIN = 63
"""The shortest silence (2 s) that is not decoded in the long form, as in faster-whisper."""
LOG_PROBABILITY_MIN = -1.0
"""A text with a lower log probability is decoded again. The threshold is Whisper's own."""


class RecordingTranscriber:
    """Transcribes recordings with one loaded model. Safe to share between threads."""

    def __init__(self, whisper: Any, silero: SileroModel, languages: Languages, batch_decoder: BatchDecoder) -> None:
        self._whisper = whisper
        self._silero = silero
        self._languages = languages
        self._batch_decoder = batch_decoder
        self._batch_seconds_max = BATCH_SECONDS_MAX[whisper.model.device]

    def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None], cancelled: threading.Event
    ) -> WindowResult:
        """Transcribe one window; see `Engine.transcribe`."""
        output = HallucinationFilter(emit, cancelled)
        fit = fitted(self._whisper, options)
        if _needs_long_form(options.decoding):
            language = self._whole(window, fit.options, output)
        else:
            language = self._by_segments(window, fit.options, output)
        return WindowResult(language, fit.warnings, tuple(output.dropped))

    def _by_segments(
        self, window: Window, options: RecognitionOptions, output: HallucinationFilter
    ) -> DetectedLanguage | None:
        output.raise_if_cancelled()
        found = find_speech_segments(speech_probabilities(self._silero, window.samples), len(window.samples))
        segments = [segment for segment in found if segment.end - segment.start >= SAMPLES_MIN]
        if not segments:
            return None
        language = self._language(_samples(window, segments[0]), options)
        named = replace(options, language=language.code)
        for batch in batches(segments, self._batch_seconds_max, PAD_SECONDS):
            output.raise_if_cancelled()
            self._decode([_part(window, segment) for segment in batch], named, output)
            # As in faster-whisper, only the beginning of the window has the prompt.
            named = replace(named, decoding=replace(named.decoding, initial_prompt=""))
        output.raise_if_cancelled()
        return language

    def _language(self, samples: Samples, options: RecognitionOptions) -> DetectedLanguage:
        if options.language is not None:
            return DetectedLanguage(options.language, 1.0)
        if not self._languages.several:
            return DetectedLanguage(next(iter(self._languages.codes)), 1.0)
        code, probability, _ = self._whisper.detect_language(samples)
        return DetectedLanguage(code, float(probability))

    def _decode(self, parts: Sequence[Window], options: RecognitionOptions, output: HallucinationFilter) -> None:
        """Decode speech segments in one batch, and those that are rejected once more in the long form."""
        batch = self._batch_decoder.generate([self._task(part, options) for part in parts])
        texts = [_accepted(part, generated, batch) for part, generated in zip(parts, batch.generated, strict=True)]
        aligned = self._batch_decoder.words(batch, [text or [] for text in texts])
        for part, generated, text, words in zip(parts, batch.generated, texts, aligned, strict=True):
            if self._is_echo(generated.text, part, options):
                self._decode([part], without_prompt(options), output)
                continue
            if text is None:
                self._decode_again(part, generated, batch, options, output)
            else:
                self._write(part, generated, words, options, output)

    def _write(
        self,
        part: Window,
        generated: Generated,
        words: Sequence[DecodedWord],
        options: RecognitionOptions,
        output: HallucinationFilter,
    ) -> None:
        """Write the sentences of a speech segment."""
        end = part.offset + len(part.samples)
        if not words:
            output.accept(Segment(generated.text, part.offset, end), generated)
        for sentence in sentences(words):
            language = options.language or ""
            segment = segment_of(sentence, part.offset, end, language, with_words=options.word_timestamps)
            output.accept(segment, replace(generated, text=segment.text))
        spoken = sum(len(word.tokens) for word in words)
        if words and spoken < len(generated.tokens):
            rest = self._whisper.hf_tokenizer.decode(generated.tokens[spoken:]).strip()
            at = part.offset + words[-1].end
            output.drop(Segment(rest, at, max(at, end)), FASTER_THAN_SPEECH)

    def _decode_again(
        self,
        part: Window,
        generated: Generated,
        batch: DecodedBatch,
        options: RecognitionOptions,
        output: HallucinationFilter,
    ) -> None:
        """Decode a speech segment whose text was rejected: the halves of a loop, anything else in the long form.

        Over a shorter segment the decoder seldom loops, and what is behind a repetition is not lost.
        """
        output.raise_if_cancelled()
        if not loops(part.samples, generated, batch.vocabulary):
            self._long_form(part, options, output)
        elif len(part.samples) >= 2 * HALF_SAMPLES_MIN:
            self._decode(_halves(part), options, output)
        else:
            self._without_repetitions(part, options, output)

    def _without_repetitions(self, part: Window, options: RecognitionOptions, output: HallucinationFilter) -> None:
        """Decode a speech segment once more, with repetitions forbidden."""
        batch = self._batch_decoder.generate([self._task(part, options)], REPEATED_TOKENS)
        generated = batch.generated[0]
        if text := _accepted(part, generated, batch):
            self._write(part, generated, self._batch_decoder.words(batch, [text])[0], options, output)
        else:
            self._long_form(part, options, output)

    def _is_echo(self, text: str, part: Window, options: RecognitionOptions) -> bool:
        """Whether a text is copied from prompt or hotwords, and not in its audio."""
        echo = echo_in(text, options)
        if echo is None or options.decoding.translate:
            return False
        again = self._batch_decoder.generate([self._task(part, without_prompt(options))])
        return not is_confirmed(echo, again.generated[0].text)

    def _task(self, part: Window, options: RecognitionOptions) -> DecodingTask:
        language = SpokenLanguage(self._whisper, self._languages)
        language.named = options.language
        effort = Effort(PAD_SECONDS, options.decoding.beam_size or BEAM_SIZE)
        prompt = options.decoding.initial_prompt
        tokens = self._whisper.hf_tokenizer.encode(f" {prompt}", add_special_tokens=False).ids if prompt else []
        return DecodingTask(part.samples, effort, language, " ".join(options.hotwords) or None, prompt=tokens)

    def _whole(
        self, window: Window, options: RecognitionOptions, output: HallucinationFilter
    ) -> DetectedLanguage | None:
        """Decode a whole window in the long form, without its silence unless the options keep it."""
        if not options.decoding.filter_silence:
            return self._long_form(window, options, output) if len(window.samples) else None
        probabilities = speech_probabilities(self._silero, window.samples)
        stretches = speech_stretches(probabilities, len(window.samples), pause_frames=LONG_FORM_PAUSE_FRAMES_MIN)
        return self._long_form(window, options, output, stretches) if stretches else None

    def _long_form(
        self,
        window: Window,
        options: RecognitionOptions,
        output: HallucinationFilter,
        stretches: Sequence[SpeechSegment] = (),
    ) -> DetectedLanguage | None:
        output.raise_if_cancelled()
        decoded = decode_long_form(self._whisper, window, options, stretches)
        done = window.offset
        named = replace(options, language=decoded.language.code)
        for segment, generated in decoded.segments:
            begin = max(done, segment.end - SEGMENT_SECONDS_MAX * SAMPLE_RATE)
            if self._is_echo(segment.text, _between(window, begin, segment.end), named):
                rest = _between(window, done, window.offset + len(window.samples))
                self._long_form(rest, without_prompt(named), output, _after(stretches, done - window.offset))
                break
            output.accept(segment, generated)
            done = segment.end
        output.raise_if_cancelled()
        return decoded.language


def _needs_long_form(decoding: DecodingOptions) -> bool:
    """Whether an option is set that only the long form has."""
    return not decoding.filter_silence or decoding.temperature is not None or decoding.translate


def _accepted(part: Window, generated: Generated, batch: DecodedBatch) -> list[int] | None:
    """The accepted tokens; no tokens for a hallucination. None where the text is decoded again."""
    if is_hallucinated(generated):
        return []
    unlikely = generated.log_probability < LOG_PROBABILITY_MIN
    rejected = unlikely or generated.truncated or loops(part.samples, generated, batch.vocabulary)
    return None if rejected else generated.tokens


def _halves(part: Window) -> list[Window]:
    """A speech segment divided at the quietest moment of its middle."""
    frames = len(part.samples) // FRAME_SAMPLES
    energy = np.square(part.samples[: frames * FRAME_SAMPLES].reshape(frames, FRAME_SAMPLES)).mean(axis=1)
    first, last = frames // 3, frames - frames // 3
    quietest = first + int(np.argmin(energy[first:last]))
    at = part.offset + quietest * FRAME_SAMPLES + FRAME_SAMPLES // 2
    return [_between(part, part.offset, at), _between(part, at, part.offset + len(part.samples))]


def _samples(window: Window, segment: SpeechSegment) -> Samples:
    return window.samples[segment.start : segment.end]


def _between(window: Window, start: int, end: int) -> Window:
    """A part of a window, between two samples of the recording."""
    return Window(window.samples[start - window.offset : end - window.offset], start)


def _after(stretches: Sequence[SpeechSegment], sample: int) -> list[SpeechSegment]:
    """The stretches after a sample of their window, in the window that begins there."""
    return [
        SpeechSegment(max(0, stretch.start - sample), stretch.end - sample)
        for stretch in stretches
        if stretch.end > sample
    ]


def _part(window: Window, segment: SpeechSegment) -> Window:
    return Window(_samples(window, segment), window.offset + segment.start)
