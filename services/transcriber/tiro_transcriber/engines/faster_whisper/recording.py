"""Transcribes a window of a recording with faster-whisper's own long-form decoding."""

import threading
from collections.abc import Callable
from typing import Any

from tiro_transcriber.engines.faster_whisper.trust import Generated, is_invented
from tiro_transcriber.engines.interface import (
    SAMPLE_RATE,
    Cancelled,
    DetectedLanguage,
    DroppedText,
    RecognitionOptions,
    Segment,
    Window,
    WindowResult,
    Word,
)

BEAM_SIZE = 5
ENGLISH = "en"


def transcribe_window(
    whisper: Any,
    window: Window,
    options: RecognitionOptions,
    emit: Callable[[Segment], None],
    cancelled: threading.Event,
) -> WindowResult:
    """Transcribe one window; see `Engine.transcribe`."""
    if cancelled.is_set():
        raise Cancelled
    decoding = options.decoding
    temperature = {} if decoding.temperature is None else {"temperature": decoding.temperature}
    found, info = whisper.transcribe(
        window.samples,
        language=options.language,
        task="translate" if decoding.translate else "transcribe",
        beam_size=decoding.beam_size or BEAM_SIZE,
        initial_prompt=decoding.initial_prompt or None,
        word_timestamps=options.word_timestamps,
        hotwords=" ".join(options.hotwords) or None,
        condition_on_previous_text=False,  # one invented or repeated sentence would poison all that follow
        vad_filter=decoding.filter_silence,  # without it Whisper writes words over silence and noise
        **temperature,
    )
    if info.duration_after_vad == 0:
        return WindowResult(language=None)
    earliest = window.offset
    dropped: list[DroppedText] = []
    for segment in found:
        if cancelled.is_set():
            raise Cancelled
        if is_invented(Generated(segment.tokens, segment.text.strip(), segment.avg_logprob, segment.no_speech_prob)):
            if segment.text.strip():
                dropped.append(_dropped(segment, window))
            continue
        placed = _placed(segment, window, earliest, ENGLISH if decoding.translate else info.language)
        earliest = placed.end
        emit(placed)
    if cancelled.is_set():
        raise Cancelled
    detected = DetectedLanguage(info.language, float(info.language_probability))
    return WindowResult(detected, dropped=tuple(dropped))


def _dropped(segment: Any, window: Window) -> DroppedText:
    latest = window.offset + len(window.samples)
    start = min(window.offset + round(segment.start * SAMPLE_RATE), latest)
    end = min(max(window.offset + round(segment.end * SAMPLE_RATE), start), latest)
    why = f"no speech probability {segment.no_speech_prob:.2f}, mean log probability {segment.avg_logprob:.2f}"
    return DroppedText(segment.text.strip(), start, end, why)


def _placed(segment: Any, window: Window, earliest: int, language: str) -> Segment:
    """Place a segment in the recording: inside the window and not before the end of the one before it."""
    latest = window.offset + len(window.samples)

    def place(seconds: float, after: int) -> int:
        return min(max(window.offset + round(seconds * SAMPLE_RATE), after), latest)

    start = place(segment.start, earliest)
    end = place(segment.end, start)
    words: list[Word] = []
    for word in segment.words or ():
        begin = place(word.start, words[-1].end if words else start)
        words.append(Word(word.word.strip(), begin, place(word.end, begin), float(word.probability)))
    return Segment(segment.text.strip(), start, max(end, words[-1].end) if words else end, tuple(words), language)
