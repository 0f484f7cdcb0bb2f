"""FLAC frames as they arrive (RFC 9639).

FFmpeg's FLAC parser holds back about ten frames to be sure of its position: more than a second of latency on a live
stream. Here one frame of delay is enough: a frame ends where the next header begins, and its checksum distinguishes a
header from samples that look like one.
"""

from collections.abc import Iterator

from av import CodecContext, FFmpegError, Packet
from av.audio.codeccontext import AudioCodecContext

from tiro_core.audio.child.source import LiveSource
from tiro_core.audio.child.timeline import Piece
from tiro_core.audio.errors import AudioFormatMismatchError, AudioUndecodableError

READ_BYTES = 64 * 1024
FRAME_BYTES_MAX = 1024 * 1024
"""The largest frame, rounded up: 65535 samples of 8 channels and 16 bits, not compressed at all."""

METADATA_HEADER_BYTES = 4
METADATA_LAST = 0x80
METADATA_STREAMINFO = 0
HEADER_BYTES_MAX = 16
VARIABLE_BLOCK_SIZE_MAX = 65535


def _crc_table(polynomial: int, bits: int) -> tuple[int, ...]:
    def entry(byte: int) -> int:
        value = byte << (bits - 8)
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value >> (bits - 1) & 1 else 0)
            value &= (1 << bits) - 1
        return value

    return tuple(entry(byte) for byte in range(256))


CRC8 = _crc_table(0x07, 8)  # RFC 9639, section 9.1.8
CRC16 = _crc_table(0x8005, 16)  # RFC 9639, section 9.3


def frame_number(data: bytes | bytearray | memoryview) -> int | None:
    """Return the coded number of the frame header that `data` starts with; None when it is no header.

    Args:
        data: at least `HEADER_BYTES_MAX` bytes, fewer at the end of a stream.
    """
    if len(data) < 6 or data[0] != 0xFF or data[1] & 0xFE != 0xF8:  # noqa: PLR2004 - RFC 9639, section 9.1
        return None
    block_size, rate = data[2] >> 4, data[2] & 0x0F
    number_bytes = max(1, 8 - (data[4] ^ 0xFF).bit_length())
    extra_bytes = {6: 1, 7: 2}.get(block_size, 0) + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    end = 4 + number_bytes + extra_bytes
    if number_bytes == 8 or end >= len(data):  # noqa: PLR2004 - a leading byte of all ones codes no number
        return None
    crc = 0
    for byte in data[:end]:
        crc = CRC8[crc ^ byte]
    if crc != data[end]:
        return None
    number = data[4] if number_bytes == 1 else data[4] & (0x7F >> number_bytes)
    for byte in data[5 : 4 + number_bytes]:
        number = number << 6 | byte & 0x3F
    return number


class FlacFrames:
    """Cuts a byte stream into frames; push-based, so that it can be tested without a stream."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 1  # a frame is at least longer than its first byte
        self._crc = 0
        self._crc_end = 0

    def push(self, data: bytes) -> Iterator[bytes]:
        """Yield the frames that `data` completed."""
        self._buffer += data
        while (end := self._next_header()) is not None:
            yield self._take(end)
        if len(self._buffer) > FRAME_BYTES_MAX:
            raise AudioUndecodableError

    def flush(self) -> bytes:
        """Return the last frame, which no header follows."""
        return self._take(len(self._buffer))

    def _take(self, end: int) -> bytes:
        frame = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched, self._crc, self._crc_end = 1, 0, 0
        return frame

    def _next_header(self) -> int | None:
        while (at := self._buffer.find(b"\xff", self._searched)) >= 0 and at + HEADER_BYTES_MAX <= len(self._buffer):
            self._searched = at + 1
            number = frame_number(self._buffer[at : at + HEADER_BYTES_MAX])
            if number is not None and (self._is_whole(at) or self._follows(number)):
                return at
        return None

    def _is_whole(self, end: int) -> bool:
        """Whether the bytes up to `end` are a frame by their checksum: the CRC over a frame and its footer is 0."""
        for byte in self._buffer[self._crc_end : end]:
            self._crc = (self._crc << 8 & 0xFF00) ^ CRC16[self._crc >> 8 ^ byte]
        self._crc_end = end
        return self._crc == 0

    def _follows(self, number: int) -> bool:
        """Whether `number` can come after the buffered frame, whose own checksum may have been damaged."""
        current = frame_number(self._buffer[:HEADER_BYTES_MAX])
        longest = VARIABLE_BLOCK_SIZE_MAX if _is_variable(self._buffer) else 1
        return current is not None and 0 < number - current <= longest


def _is_variable(frame: bytes | bytearray) -> bool:
    """Whether a frame belongs to a stream whose blocks differ in size, so that it counts samples and not blocks."""
    return bool(frame[1] & 1)


class LiveFlac:
    """A FLAC stream that is still being written.

    Attributes:
        name: FFmpeg's name of the container.
        damaged_packets: frames that could not be decoded so far.
    """

    name = "flac"
    codec = "flac"
    origin = None
    duration_seconds = None  # a stream that is being written has no end yet

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        self._block_samples = 0
        self.damaged_packets = 0

    def pieces(self) -> Iterator[Piece]:
        """Yield the sound of the frames, each as soon as the header after it has arrived."""
        decoder = self._open_decoder()
        frames = FlacFrames()
        while data := self._source.read(READ_BYTES):
            for frame in frames.push(data):
                yield from self._decode(decoder, frame)
        if last := frames.flush():
            yield from self._decode(decoder, last)

    def _open_decoder(self) -> AudioCodecContext:
        self._read_exactly(len(b"fLaC"))
        decoder = CodecContext.create("flac", "r")
        last = False
        while not last:
            header = self._read_exactly(METADATA_HEADER_BYTES)
            last = bool(header[0] & METADATA_LAST)
            block = self._read_exactly(int.from_bytes(header[1:], "big"))
            if header[0] & ~METADATA_LAST == METADATA_STREAMINFO:
                decoder.extradata = block
        if decoder.extradata is None:
            raise AudioFormatMismatchError("the FLAC stream has no STREAMINFO block")
        return decoder

    def _decode(self, decoder: AudioCodecContext, frame: bytes) -> Iterator[Piece]:
        try:
            decoded = decoder.decode(Packet(frame))
        except MemoryError:
            raise
        except FFmpegError:
            self.damaged_packets += 1
            return
        for sound in decoded:
            self._block_samples = self._block_samples or sound.samples
            seconds = sound.samples / sound.sample_rate
            yield Piece(self._time_of(frame, sound.sample_rate), seconds, seconds, [sound])

    def _time_of(self, frame: bytes, rate: int) -> float | None:
        """The start of a frame in seconds: its header counts blocks of one size, or samples if their size varies."""
        number = frame_number(frame[:HEADER_BYTES_MAX])
        if number is None:
            return None
        return number * (1 if _is_variable(frame) else self._block_samples) / rate

    def _read_exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._source.read(size - len(data))
            if not more:
                raise AudioFormatMismatchError("the FLAC stream ended within its header")
            data += more
        return data
