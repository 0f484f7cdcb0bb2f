"""Containers that follow the standards, or nearly, and make a reader use too much memory or open other files.

Boxes of MP4 and MOV: ISO/IEC 14496-12; QuickTime's aliases as FFmpeg reads them.
"""

import io
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.hostile.files import HostileFile, encode, wav

BOX = struct.Struct(">I4s")
TABLES = (b"stts", b"stsc", b"stsz", b"stco")
COUNTS = (2**16, 2**28 - 1, 2**31 - 1, 2**32 - 1)
COUNT_AT = {b"stsz": 12}
"""Offset of the number of entries from a table's name, where it is not 8: `stsz` has one more field before it."""
DREF_PATH = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref")
BOMB_SECONDS = 2 * 3600
BOMB_RATE_HZ = 8_000
WAV_CODECS = ("pcm_u8", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_mulaw", "pcm_alaw")
ODD_FLOATS = {"nan": np.nan, "infinite": np.inf, "huge": 3e38, "denormal": 1e-40}


def containers(canary: Path) -> Iterator[HostileFile]:
    """Yield the files.

    Args:
        canary: a local file that must not be read.
    """
    good = encode("mp4", "aac")
    yield from _tables(good)
    for kind, entry in {"alias": _alias(str(canary)), "url": _url(canary.as_uri()), "urn": _urn(str(canary))}.items():
        yield HostileFile(f"dref-{kind}", _with_dref(encode("mov", "pcm_s16le"), entry))
    yield HostileFile("bomb-flac", _flac_bomb(), "AUDIO_TOO_LONG")
    yield HostileFile("silent-video", _silent_video(), "NO_AUDIO_STREAM")
    yield from _wavs()
    yield from _chains()
    yield from _huge_sizes()


def _tables(good: bytes) -> Iterator[HostileFile]:
    """Tables that claim more entries than the file has bytes."""
    for table in TABLES:
        for count in COUNTS:
            data = bytearray(good)
            at = data.index(table) + COUNT_AT.get(table, 8)
            data[at : at + 4] = count.to_bytes(4, "big")
            yield HostileFile(f"table-{table.decode()}-{count}", bytes(data))


def _with_dref(movie: bytes, entry: bytes) -> bytes:
    """Return a movie whose data reference is `entry`. Its index comes last, so that no offset changes."""
    starts, begin, end = [], 0, len(movie)
    for name in DREF_PATH:
        begin, end = _find(movie, name, begin, end)
        starts.append(begin)
        begin += BOX.size
    body = bytes(4) + (1).to_bytes(4, "big") + entry
    made = bytearray(movie[:begin] + body + movie[end:])
    grown = len(made) - len(movie)
    for start in starts:
        size, name = BOX.unpack_from(movie, start)
        BOX.pack_into(made, start, size + grown, name)
    return bytes(made)


def _find(data: bytes, name: bytes, begin: int, end: int) -> tuple[int, int]:
    """Return the begin and the end of the last box of this name among the boxes between two offsets."""
    found: tuple[int, int] | None = None
    while begin < end:
        size, seen = BOX.unpack_from(data, begin)
        if seen == name:
            found = begin, begin + size
        begin += size
    if found is None:
        raise LookupError(name)
    return found


def _box(name: bytes, body: bytes) -> bytes:
    return BOX.pack(BOX.size + len(body), name) + body


def _url(target: str) -> bytes:
    return _box(b"url ", bytes(4) + target.encode() + b"\0")


def _urn(target: str) -> bytes:
    return _box(b"urn ", bytes(4) + b"file\0" + target.encode() + b"\0")


def _alias(target: str) -> bytes:
    """Return an alias with an absolute path (item 2), as QuickTime wrote them."""
    path, name = target.encode(), Path(target).name.encode()
    volume = bytes([4]) + b"disk".ljust(27, b"\0")
    file = bytes([len(name)]) + name.ljust(63, b"\0")
    items = struct.pack(">hH", 2, len(path)) + path.ljust(len(path) + len(path) % 2, b"\0") + struct.pack(">hH", -1, 0)
    head = bytes(4) + bytes(10) + volume + bytes(12) + file + bytes(16) + struct.pack(">hh", 1, 1) + bytes(16)
    return _box(b"alis", head + items + bytes(64))


def _flac_bomb() -> bytes:
    """Return hours of silence in a few hundred kilobytes."""
    sink = io.BytesIO()
    silence = np.zeros((1, 60 * BOMB_RATE_HZ), np.int16)
    with av.open(sink, "w", format="flac") as output:
        stream = output.add_stream("flac", rate=BOMB_RATE_HZ)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        for _ in range(BOMB_SECONDS // 60):
            frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
            frame.sample_rate = BOMB_RATE_HZ
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return sink.getvalue()


def _silent_video() -> bytes:
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return sink.getvalue()


def _wavs() -> Iterator[HostileFile]:
    """Samples of every width, samples that are no numbers, and sizes of 64 bits."""
    for codec in WAV_CODECS:
        yield HostileFile(f"samples-{codec}", encode("wav", codec), "")
    for name, value in ODD_FLOATS.items():
        good = encode("wav", "pcm_f32le")
        odd = np.full(len(good) // 8, value, "<f4").tobytes()
        yield HostileFile(f"floats-{name}", good[: -len(odd)] + odd, "")
    rf64 = encode("wav", "pcm_s16le", {"rf64": "always"})
    yield HostileFile("rf64-good", rf64, "")
    at = rf64.index(b"ds64") + 8
    for size in (0, 2**40, 2**63 - 1, 2**64 - 1):
        lie = size.to_bytes(8, "little")
        yield HostileFile(f"rf64-size-{size}", rf64[:at] + lie * 3 + rf64[at + 24 :])


def _huge_sizes() -> Iterator[HostileFile]:
    """Chunks and boxes with sizes of 64 bits that no file has."""
    for container, codec, name in (
        ("caf", "pcm_s16le", b"data"),
        ("w64", "pcm_s16le", b"data"),
        ("mp4", "aac", b"mdat"),
    ):
        good = encode(container, codec)
        for size in (2**62, 2**63 - 1, 2**63, 2**64 - 1):
            data = bytearray(good)
            at = data.index(name) + (16 if container == "w64" else 4)
            if container == "mp4":  # a size of 1 says that 64 bits of size follow
                data[at - 8 : at - 4] = (1).to_bytes(4, "big")
            data[at : at + 8] = size.to_bytes(8, "little" if container == "w64" else "big")
            yield HostileFile(f"size-{container}-{size}", bytes(data))


def _chains() -> Iterator[HostileFile]:
    """Concatenated files, which Ogg calls a chain; those of the last one have different containers."""
    opus, flac = encode("ogg", "libopus"), encode("flac", "flac")
    yield HostileFile("chain-same", opus * 3, "")
    yield HostileFile("chain-many", opus * 50, "")
    yield HostileFile("chain-containers", opus + flac + wav() + opus)
