"""Recordings for the fake engine."""

import io
import wave

from tiro_engines.fake.markers import MARKER_SAMPLES, encode
from tiro_engines.interface import SAMPLE_RATE


def recording(seconds: float, *, gap_ms: int = 100) -> bytes:
    """A WAV file of word markers, with its length and the silence between them in seconds."""
    words = max(1, round(seconds / (MARKER_SAMPLES / SAMPLE_RATE + gap_ms / 1000)))
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(SAMPLE_RATE)
        target.writeframes(encode(range(words), gap_ms=gap_ms).tobytes())
    return file.getvalue()
