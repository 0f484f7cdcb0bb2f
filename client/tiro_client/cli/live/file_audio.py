"""Audio files as sources of live audio: WAV as samples, FLAC and Ogg Opus unchanged."""

import array
import struct
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

from tiro_client.cli.live.audio_source import CHUNK_SECONDS, AudioSourceError, PacedAudio
from tiro_client.live.config import AudioEncoding

_SAMPLE_BYTES = 2
_FLAC_MAGIC = b"fLaC"
_FLAC_HEADER_BYTES = 26
_OGG_MAGIC = b"OggS"
_OPUS_RATE = 48000
_OPUS_HEAD_WITHIN_BYTES = 64
_OGG_PAGE_BYTES_MAX = 65_307
"""The largest Ogg page (RFC 3533, section 6)."""
_GRANULE_OFFSET = 6
"""Offset of a page's granule position: 8 bytes, little-endian."""


def open_audio_file(path: Path) -> PacedAudio:
    """A file as live audio in real time.

    Raises:
        AudioSourceError: The file has a format that a live stream does not accept.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_OPUS_HEAD_WITHIN_BYTES)
    if head.startswith(b"RIFF"):
        return _wave_audio(path)
    if head.startswith(_FLAC_MAGIC):
        rate, seconds = _flac_duration(path, head)
        return PacedAudio(AudioEncoding.FLAC, rate, _paced_bytes(path, seconds))
    if head.startswith(_OGG_MAGIC) and b"OpusHead" in head:
        return PacedAudio(AudioEncoding.OGG_OPUS, _OPUS_RATE, _paced_bytes(path, _ogg_opus_seconds(path)))
    raise AudioSourceError(
        f"{path}: a live stream takes WAV (16-bit PCM), FLAC or Ogg Opus; `tiro transcribe` accepts other formats"
    )


def _wave_audio(path: Path) -> PacedAudio:
    try:
        with wave.open(str(path), "rb") as opened:
            rate, channels, width = opened.getframerate(), opened.getnchannels(), opened.getsampwidth()
    except (wave.Error, EOFError) as error:
        raise AudioSourceError(f"{path}: not a WAV file with PCM samples: {str(error) or 'it is truncated'}") from None
    if width != _SAMPLE_BYTES:
        raise AudioSourceError(f"{path}: has {width * 8}-bit samples; a live stream takes 16-bit samples")
    return PacedAudio(AudioEncoding.LINEAR16, rate, _wave_pieces(path, rate, channels))


def _wave_pieces(path: Path, rate: int, channels: int) -> Iterator[bytes]:
    with wave.open(str(path), "rb") as opened:
        while frames := opened.readframes(round(rate * CHUNK_SECONDS)):
            yield _mixed(frames, channels)


def _mixed(frames: bytes, channels: int) -> bytes:
    """The mean of all channels: the live stream has one channel."""
    if channels == 1:
        return frames
    samples = array.array("h", frames)
    if sys.byteorder == "big":
        samples.byteswap()
    mean = array.array("h", (sum(frame) // channels for frame in zip(*[iter(samples)] * channels, strict=True)))
    if sys.byteorder == "big":
        mean.byteswap()
    return mean.tobytes()


def _paced_bytes(path: Path, seconds: float) -> Iterator[bytes]:
    """The file's bytes in equal pieces over its duration: compressed audio has no fixed bit rate."""
    size = path.stat().st_size
    piece_bytes = max(1, round(size * CHUNK_SECONDS / seconds))
    with path.open("rb") as file:
        while piece := file.read(piece_bytes):
            yield piece


def _flac_duration(path: Path, head: bytes) -> tuple[int, float]:
    """Sample rate and duration in seconds, from STREAMINFO, the first metadata block (RFC 9639, section 8.2)."""
    if len(head) < _FLAC_HEADER_BYTES:
        raise AudioSourceError(f"{path}: the FLAC header is truncated")
    # 20 bits of sample rate, 3 of channels, 5 of sample size, 36 of total samples.
    (packed,) = struct.unpack(">Q", head[18:26])
    rate, samples = packed >> 44, packed & (2**36 - 1)
    if not rate or not samples:
        raise AudioSourceError(f"{path}: the FLAC header has no duration, so the file cannot be sent in real time")
    return rate, samples / rate


def _ogg_opus_seconds(path: Path) -> float:
    """Duration in seconds, from the last page's granule position in samples at 48 kHz (RFC 7845, section 4)."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _OGG_PAGE_BYTES_MAX))
        tail = file.read()
    page = tail.rfind(_OGG_MAGIC)
    field = tail[page + _GRANULE_OFFSET : page + _GRANULE_OFFSET + 8]
    if page < 0 or len(field) < 8:  # noqa: PLR2004 - the bytes of the field
        raise AudioSourceError(f"{path}: the Ogg stream is truncated")
    (position,) = struct.unpack("<q", field)
    if position <= 0:
        raise AudioSourceError(f"{path}: the Ogg stream has no duration, so the file cannot be sent in real time")
    return float(position / _OPUS_RATE)
