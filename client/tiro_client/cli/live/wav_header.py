"""The header of a WAV file, as recorders and streams write it.

Python's `wave` refuses what programs write that do not know the length yet (a size of 0), and, before 3.12,
WAVE_FORMAT_EXTENSIBLE, which files of more than two channels have.
"""

import struct
from dataclasses import dataclass
from typing import Protocol

from tiro_client.cli.live.wav_samples import SampleFormat, sample_format

RIFF_MAGICS = (b"RIFF", b"RF64", b"BW64")
"""RF64 and BW64 are for files over 4 GiB (EBU Tech 3306, ITU-R BS.2088)."""
RATE_MIN, RATE_MAX = 8_000, 48_000
"""Samples per second of a live stream."""
CHUNK_BYTES_MAX = 16 * 1024 * 1024
"""The longest chunk that is skipped before the samples: a picture, or notes."""
_UNKNOWN_FROM = 0x7FFF_FF00
"""Sizes from here on stand for a length that was not known: 0x7FFFFFFF and 0xFFFFFFFF, some less the header's size."""
_RIFF_BYTES = 12
"""A magic, a size and `WAVE`."""
_CHUNK = struct.Struct("<4sI")
"""The name of a chunk, and its size."""
_EXTENSIBLE = 0xFFFE
_FORMAT = struct.Struct("<HHIIHH")
_SUB_FORMAT_OFFSET = 24
"""The offset in a chunk `fmt ` at which WAVE_FORMAT_EXTENSIBLE has the format tag, the first two bytes of a GUID."""


class NotWav(ValueError):  # noqa: N818 - reads as the condition it reports
    """The audio is no WAV that a live stream takes. The message says why."""


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, fewer than `size` only at the end."""


@dataclass(frozen=True, slots=True)
class WavHeader:
    """The format of the samples."""

    rate: int
    """Samples per second."""
    channels: int
    samples: SampleFormat
    data_bytes: int | None
    """The bytes of samples. None: up to the end of the stream."""


def read_wav_header(stream: Readable) -> WavHeader:
    """Read a stream up to its first sample.

    Raises:
        NotWav: It is no WAV that a live stream takes.
    """
    riff = stream.read(_RIFF_BYTES)
    if len(riff) < _RIFF_BYTES:
        raise NotWav("it is truncated")
    if riff[:4] not in RIFF_MAGICS or riff[8:] != b"WAVE":
        raise NotWav("it has another header")
    rate, channels, samples = 0, 0, None
    while True:
        name, size = _chunk_header(stream)
        if name == b"data":
            break
        if size > CHUNK_BYTES_MAX:
            raise NotWav(f"a chunk before its samples has {size} bytes")
        body = stream.read(size + size % 2)  # chunks begin at even offsets
        if name == b"fmt ":
            rate, channels, samples = _format(body)
    if not rate or not channels or samples is None:
        raise NotWav("its format is not given before its samples")
    if not RATE_MIN <= rate <= RATE_MAX:
        raise NotWav(f"it has {rate} samples per second; a live stream takes {RATE_MIN} to {RATE_MAX}")
    return WavHeader(rate, channels, samples, size if 0 < size < _UNKNOWN_FROM else None)


def begins_chunk(data: bytes) -> bool:
    """Whether bytes begin a chunk, and neither samples nor another file: a chunk has a printable name."""
    return len(data) >= _CHUNK.size and data[:4] not in RIFF_MAGICS and all(0x20 <= byte < 0x7F for byte in data[:4])  # noqa: PLR2004 - ASCII


def _chunk_header(stream: Readable) -> tuple[bytes, int]:
    header = stream.read(_CHUNK.size)
    if len(header) < _CHUNK.size:
        raise NotWav("it is truncated")
    name, size = _CHUNK.unpack(header)
    return name, size


def _format(chunk: bytes) -> tuple[int, int, SampleFormat]:
    """Samples per second, the number of channels, and how samples are written."""
    if len(chunk) < _FORMAT.size:
        raise NotWav("it is truncated")
    tag, channels, rate, _, _, bits = _FORMAT.unpack_from(chunk)
    if tag == _EXTENSIBLE and len(chunk) >= _SUB_FORMAT_OFFSET + 2:
        (tag,) = struct.unpack_from("<H", chunk, _SUB_FORMAT_OFFSET)
    samples = sample_format(tag, bits)
    if samples is None:
        raise NotWav(f"its samples are compressed, or of a kind that a live stream does not take (format {tag})")
    return rate, channels, samples
