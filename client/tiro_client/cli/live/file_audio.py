"""Audio files as sources of live audio: WAV as samples, FLAC and Ogg Opus unchanged."""

import array
import os
import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tiro_client.cli.live.audio_source import CHUNK_SECONDS, AudioSourceError, PacedAudio, PipedAudio
from tiro_client.cli.live.wav_header import RIFF_MAGICS, NotWav, begins_chunk, read_wav_header
from tiro_client.live.config import AudioEncoding

CHANNELS_MAX = 8
"""Channels of a live stream, which the service mixes: it finds out whether they cancel each other out."""
_CHUNK_HEADER_BYTES = 8
_FLAC_MAGIC = b"fLaC"
_FLAC_HEADER_BYTES = 26
_OGG_MAGIC = b"OggS"
_OPUS_RATE = 48000
_HEAD_BYTES = 64
"""The first bytes, by which a format is known: Opus names itself within them."""
PIPE_PIECE_BYTES = 1024
"""Bytes of compressed audio from a pipe in one message: a third of a second of Opus at 24 kbit/s."""
_OGG_PAGE_BYTES_MAX = 65_307
"""The largest Ogg page (RFC 3533, section 6)."""
_GRANULE_OFFSET = 6
"""Offset of a page's granule position: 8 bytes, little-endian."""


def open_audio_file(path: Path) -> PacedAudio | PipedAudio:
    """A file as live audio in real time. Compressed audio from a pipe is sent as it comes.

    Raises:
        AudioSourceError: The file has a format that a live stream does not accept.
        OSError: It cannot be read.
    """
    file = path.open("rb")
    try:
        return _audio_of(path, file)
    except BaseException:
        file.close()
        raise


def _audio_of(path: Path, file: BinaryIO) -> PacedAudio | PipedAudio:
    is_pipe = not stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    stream = _Stream(file)
    head = stream.peek(_HEAD_BYTES)
    if head.startswith(RIFF_MAGICS):
        return _wav_audio(path, stream, is_pipe=is_pipe)
    if head.startswith(_FLAC_MAGIC):
        rate, seconds = _flac_duration(path, head)
        encoding = AudioEncoding.FLAC
    elif head.startswith(_OGG_MAGIC) and b"OpusHead" in head:
        rate, seconds = _OPUS_RATE, None if is_pipe else _ogg_opus_seconds(path)
        encoding = AudioEncoding.OGG_OPUS
    else:
        raise AudioSourceError(
            f"{path}: a live stream takes WAV (PCM, float, A-law, mu-law), FLAC or Ogg Opus; `tiro transcribe` accepts"
            " many more formats"
        )
    if is_pipe:
        return PipedAudio(encoding, rate, stream.pieces(PIPE_PIECE_BYTES), is_paced=False)
    if seconds is None:
        raise AudioSourceError(f"{path}: the FLAC header has no duration, so the file cannot be sent in real time")
    return PacedAudio(encoding, rate, _paced_bytes(stream, path.stat().st_size, seconds))


class _Stream:
    """A file that is read once, from its beginning: a pipe cannot be read again."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._peeked = b""

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay to be read. Fewer than `size` only at the end."""
        self._peeked += self._file.read(max(0, size - len(self._peeked)))
        return self._peeked[:size]

    def read(self, size: int, /) -> bytes:
        """The next bytes. Fewer than `size` only at the end."""
        peeked, self._peeked = self._peeked[:size], self._peeked[size:]
        return peeked + self._file.read(size - len(peeked)) if len(peeked) < size else peeked

    def pieces(self, size: int, *, total: int | None = None, is_pipe: bool = False) -> Iterator[bytes]:
        """The rest in pieces of this size, and then the end of the file.

        Args:
            size: Bytes of a piece.
            total: The bytes of all pieces, if something else follows them. What follows in a file counts as more of
                them unless it is a chunk: a recorder that was cut off leaves an old number in the header. None: the
                whole rest.
            is_pipe: Whether to end at `total` without waiting for what follows.
        """
        with self._file:
            left = total
            while piece := self.read(size if left is None else min(size, left)):
                yield piece
                left = None if left is None else left - len(piece)
                if left == 0 and not is_pipe and not begins_chunk(self.peek(_CHUNK_HEADER_BYTES)):
                    left = None


def _wav_audio(path: Path, stream: _Stream, *, is_pipe: bool) -> PacedAudio | PipedAudio:
    try:
        header = read_wav_header(stream)
    except NotWav as error:
        raise AudioSourceError(f"{path}: not a WAV file that a live stream takes: {error}") from None
    frame_bytes = header.samples.sample_bytes * header.channels
    pieces = stream.pieces(round(header.rate * CHUNK_SECONDS) * frame_bytes, total=header.data_bytes, is_pipe=is_pipe)
    whole = (piece[: len(piece) // frame_bytes * frame_bytes] for piece in pieces)
    pcm16 = (header.samples.to_pcm16(piece) for piece in whole)
    channels = header.channels
    if channels > CHANNELS_MAX:
        pcm16, channels = (_mixed(piece, header.channels) for piece in pcm16), 1
    if is_pipe:
        return PipedAudio(AudioEncoding.LINEAR16, header.rate, pcm16, is_paced=True, channels=channels)
    return PacedAudio(AudioEncoding.LINEAR16, header.rate, pcm16, channels=channels)


def _mixed(frames: bytes, channels: int) -> bytes:
    """The mean of more channels than a live stream takes."""
    samples = array.array("h", frames)
    if sys.byteorder == "big":
        samples.byteswap()
    mean = array.array("h", (sum(frame) // channels for frame in zip(*[iter(samples)] * channels, strict=True)))
    if sys.byteorder == "big":
        mean.byteswap()
    return mean.tobytes()


def _paced_bytes(stream: _Stream, size: int, seconds: float) -> Iterator[bytes]:
    """The file's bytes in equal pieces over its duration: compressed audio has no fixed bit rate."""
    return stream.pieces(max(1, round(size * CHUNK_SECONDS / seconds)))


def _flac_duration(path: Path, head: bytes) -> tuple[int, float | None]:
    """Sample rate and duration in seconds, from STREAMINFO, the first metadata block (RFC 9639, section 8.2).

    An encoder that writes to a pipe does not know the duration: None.
    """
    if len(head) < _FLAC_HEADER_BYTES:
        raise AudioSourceError(f"{path}: the FLAC header is truncated")
    # 20 bits of sample rate, 3 of channels, 5 of sample size, 36 of total samples.
    (packed,) = struct.unpack(">Q", head[18:26])
    rate, samples = packed >> 44, packed & (2**36 - 1)
    if not rate:
        raise AudioSourceError(f"{path}: the FLAC header has no sample rate")
    return rate, samples / rate if samples else None


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
