"""Transcribes windows of recordings: speech is found first, and decoded segment by segment.

A speech segment is encoded with a pad of 8 s instead of one that fills 30 s, and short segments are decoded in one
batch. Segments that are rejected, and windows with options that only it has, are decoded by faster-whisper's long form.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

import numpy as np

from tiro_engines.faster_whisper.batch_decoder import SAMPLES_MIN, BatchDecoder
from tiro_engines.faster_whisper.hallucination_filter import HallucinationFilter
from tiro_engines.faster_whisper.languages import Languages
from tiro_engines.faster_whisper.prompts import fitted
from tiro_engines.faster_whisper.segment_decoder import PAD_SECONDS, SegmentDecoder
from tiro_engines.faster_whisper.speech_segments import batches, find_speech_segments
from tiro_engines.faster_whisper.speech_stretches import SpeechSegment, speech_stretches
from tiro_engines.faster_whisper.spoken_language import among
from tiro_engines.faster_whisper.window_parts import part_of
from tiro_engines.interface import (
    SAMPLE_RATE,
    DecodingOptions,
    DetectedLanguage,
    RecognitionOptions,
    Segment,
    Window,
    WindowResult,
)
from tiro_engines.windowed.silero import SileroModel, speech_probabilities

BATCH_SECONDS_MAX = {"cpu": 30, "cuda": 480}
"""By device, the seconds of audio that are encoded at once. On a CPU larger batches are no faster, and a cancellation
waits for the batch."""
DETECTION_SECONDS = 30
"""The speech in which the language is detected: what Whisper takes in at once."""
LONG_FORM_PAUSE_FRAMES_MIN = 63
"""The shortest silence (2 s) that is not decoded in the long form, as in faster-whisper."""


class RecordingTranscriber:
    """Transcribes recordings with one loaded model. Safe to share between threads."""

    def __init__(self, whisper: Any, silero: SileroModel, languages: Languages, batch_decoder: BatchDecoder) -> None:
        self._whisper = whisper
        self._silero = silero
        self._languages = languages
        self._decoder = SegmentDecoder(whisper, languages, batch_decoder)
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
        language = self._language(window, segments, options)
        named = replace(options, language=language.code)
        for batch in batches(segments, self._batch_seconds_max, PAD_SECONDS):
            output.raise_if_cancelled()
            self._decoder.decode([part_of(window, segment) for segment in batch], named, output)
            # As in faster-whisper, only the beginning of the window has the prompt.
            named = replace(named, decoding=replace(named.decoding, initial_prompt=""))
        output.raise_if_cancelled()
        return language

    def _language(
        self, window: Window, segments: Sequence[SpeechSegment], options: RecognitionOptions
    ) -> DetectedLanguage:
        """The language of a window: the one that the request names, or else the one of its first speech."""
        if options.language is not None:
            return DetectedLanguage(options.language, 1.0)
        if not self._languages.several:
            return DetectedLanguage(next(iter(self._languages.codes)), 1.0)
        speech = np.concatenate([part_of(window, segment).samples for segment in segments])  # the beginning may mislead
        _, _, found = self._whisper.detect_language(speech[: DETECTION_SECONDS * SAMPLE_RATE])
        code, probability = max(among(options.candidates, found).items(), key=itemgetter(1))
        return DetectedLanguage(code, float(probability))

    def _whole(
        self, window: Window, options: RecognitionOptions, output: HallucinationFilter
    ) -> DetectedLanguage | None:
        """Decode a whole window in the long form, without its silence unless the options keep it."""
        stretches = [SpeechSegment(0, len(window.samples))] if len(window.samples) else []
        if options.decoding.filter_silence:
            probabilities = speech_probabilities(self._silero, window.samples)
            stretches = speech_stretches(probabilities, len(window.samples), pause_frames=LONG_FORM_PAUSE_FRAMES_MIN)
        if not stretches:
            return None
        language = self._language(window, stretches, options)
        self._decoder.long_form(window, replace(options, language=language.code), output, stretches)
        return language


def _needs_long_form(decoding: DecodingOptions) -> bool:
    """Whether an option is set that only the long form has."""
    return not decoding.filter_silence or decoding.temperature is not None or decoding.translate
