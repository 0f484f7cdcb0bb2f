"""Audio of numbered words. No number is used twice in a test, so that each lost or repeated word is found."""

import io
import itertools
import wave
from collections.abc import Sequence

from tiro_engines.fake.markers import encode
from tiro_engines.interface import SAMPLE_RATE


class Vocabulary:
    """Issues words that are unused so far."""

    def __init__(self) -> None:
        self._next = itertools.count(1)

    def take(self, count: int) -> list[int]:
        """The next words."""
        return [next(self._next) for _ in range(count)]


def text(words: Sequence[int]) -> list[str]:
    """Words as the fake engine writes them."""
    return [f"w{word}" for word in words]


def pcm(words: Sequence[int], *, silence_seconds: float = 0.0) -> bytes:
    """Words as 16-bit samples at `SAMPLE_RATE`, 0.3 s each, with silence after the last one."""
    return encode(words).tobytes() + bytes(2 * round(SAMPLE_RATE * silence_seconds))


def wav(words: Sequence[int]) -> bytes:
    """Words as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(SAMPLE_RATE)
        target.writeframes(pcm(words))
    return file.getvalue()
