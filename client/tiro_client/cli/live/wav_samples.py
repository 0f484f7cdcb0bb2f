"""The samples of WAV files, as 16-bit PCM."""

import array
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

PCM16_MAX = 32767
PCM16_MIN = -32768
UNSIGNED_ZERO = 128

PCM, FLOAT, ALAW, MULAW = 1, 3, 6, 7
"""Format tags of WAVE (RFC 2361)."""


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """How one sample is written."""

    name: str
    sample_bytes: int
    to_pcm16: Callable[[bytes], bytes]
    """Turns whole samples into little-endian 16-bit PCM."""


def sample_format(tag: int, bits: int) -> SampleFormat | None:
    """The format of a tag with a number of bits. None: a live stream does not take it."""
    return _FORMATS.get((tag, (bits + 7) // 8))


def _from_unsigned(data: bytes) -> bytes:
    return _little_endian(array.array("h", ((byte - UNSIGNED_ZERO) << 8 for byte in data)))


def _unchanged(data: bytes) -> bytes:
    return data


def _from_integers(sample_bytes: int) -> Callable[[bytes], bytes]:
    """The two upper bytes of little-endian integers."""

    def convert(data: bytes) -> bytes:
        upper = bytearray(len(data) // sample_bytes * 2)
        upper[0::2] = data[sample_bytes - 2 :: sample_bytes]
        upper[1::2] = data[sample_bytes - 1 :: sample_bytes]
        return bytes(upper)

    return convert


def _from_floats(code: Literal["f", "d"]) -> Callable[[bytes], bytes]:
    """Samples in [-1, 1]. What is beyond is clipped, and what is no number is silence."""

    def convert(data: bytes) -> bytes:
        values = array.array(code, data)
        if sys.byteorder == "big":
            values.byteswap()
        return _little_endian(array.array("h", map(_clipped, values)))

    return convert


def _clipped(value: float) -> int:
    return 0 if math.isnan(value) else round(max(PCM16_MIN, min(PCM16_MAX, value * -PCM16_MIN)))


def _from_table(table: list[int]) -> Callable[[bytes], bytes]:
    return lambda data: _little_endian(array.array("h", map(table.__getitem__, data)))


def _alaw(byte: int) -> int:
    """One sample of G.711 A-law (table 1): the even bits are inverted."""
    byte ^= 0x55
    exponent, mantissa = byte >> 4 & 0x07, byte & 0x0F
    magnitude = (mantissa << 4) + 8 if exponent == 0 else (mantissa << 4) + 0x108 << exponent - 1
    return magnitude if byte & 0x80 else -magnitude


def _mulaw(byte: int) -> int:
    """One sample of G.711 mu-law (table 2): all bits are inverted, and magnitudes have a bias of 0x84."""
    byte ^= 0xFF
    magnitude = ((byte & 0x0F) << 3) + 0x84 << (byte >> 4 & 0x07)
    return 0x84 - magnitude if byte & 0x80 else magnitude - 0x84


def _little_endian(samples: "array.array[int]") -> bytes:
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


_FORMATS = {
    (PCM, 1): SampleFormat("8-bit PCM", 1, _from_unsigned),
    (PCM, 2): SampleFormat("16-bit PCM", 2, _unchanged),
    (PCM, 3): SampleFormat("24-bit PCM", 3, _from_integers(3)),
    (PCM, 4): SampleFormat("32-bit PCM", 4, _from_integers(4)),
    (FLOAT, 4): SampleFormat("32-bit float", 4, _from_floats("f")),
    (FLOAT, 8): SampleFormat("64-bit float", 8, _from_floats("d")),
    (ALAW, 1): SampleFormat("A-law", 1, _from_table([_alaw(byte) for byte in range(256)])),
    (MULAW, 1): SampleFormat("mu-law", 1, _from_table([_mulaw(byte) for byte in range(256)])),
}
