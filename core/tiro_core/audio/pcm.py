"""Plain samples: reading them from bytes, expanding mu-law, resampling."""

import numpy as np
import numpy.typing as npt
from av import AudioFrame

from tiro_core.audio.errors import AudioFormatMismatchError
from tiro_core.audio.mono import MonoConverter

Pcm16 = npt.NDArray[np.int16]

RATE_HZ_MIN = 8_000
RATE_HZ_MAX = 48_000
MODEL_RATE_HZ = 16_000

SAMPLE_BYTES = 2
INT16_FULL_SCALE = 32768.0

MULAW_BIAS = 0x84


def _mulaw_table() -> Pcm16:
    """Expand every mu-law byte (ITU-T G.711, table 2; the integer form of Sun's reference `ulaw2linear`)."""
    inverted = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent, mantissa = inverted >> 4 & 0x07, inverted & 0x0F
    magnitude = ((mantissa << 3) + MULAW_BIAS << exponent) - MULAW_BIAS
    return np.where(inverted & 0x80, -magnitude, magnitude).astype(np.int16)


_MULAW = _mulaw_table()


def mulaw_to_pcm16(data: bytes) -> Pcm16:
    """Expand G.711 mu-law, one byte a sample, to int16."""
    expanded: Pcm16 = _MULAW[np.frombuffer(data, dtype=np.uint8)]
    return expanded


def pcm16_from_bytes(data: bytes) -> Pcm16:
    """Return little-endian int16 samples.

    Raises:
        AudioFormatMismatchError: an odd number of bytes.
    """
    if len(data) % SAMPLE_BYTES:
        raise AudioFormatMismatchError("16-bit samples come in an even number of bytes")
    return np.frombuffer(data, dtype="<i2").astype(np.int16, copy=False)


def pcm16_to_float32(samples: Pcm16) -> npt.NDArray[np.float32]:
    """Return samples scaled to [-1, 1)."""
    return samples.astype(np.float32) / np.float32(INT16_FULL_SCALE)


class Resampler:
    """Resamples int16 mono, piece by piece, without seams.

    Args:
        source_rate_hz: 8000 to 48000.
        target_rate_hz: rate of what comes out.

    Raises:
        AudioFormatMismatchError: a source rate out of range.
    """

    def __init__(self, source_rate_hz: int, target_rate_hz: int = MODEL_RATE_HZ) -> None:
        if not RATE_HZ_MIN <= source_rate_hz <= RATE_HZ_MAX:
            raise AudioFormatMismatchError(f"a sample rate of {source_rate_hz} Hz is not from 8000 to 48000 Hz")
        self._source_rate_hz = source_rate_hz
        self._target_rate_hz = target_rate_hz
        self._converter = MonoConverter(target_rate_hz)

    def push(self, samples: Pcm16) -> Pcm16:
        """Return the resampled samples that are ready; the filter holds back about a millisecond."""
        if not samples.size or self._source_rate_hz == self._target_rate_hz:
            return samples
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._source_rate_hz
        return np.frombuffer(self._converter.convert(frame), dtype=np.int16)

    def flush(self) -> Pcm16:
        """Return the rest. The next `push` begins a new stream."""
        return np.frombuffer(self._converter.flush(), dtype=np.int16)
