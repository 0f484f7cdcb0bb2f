"""Files as live audio."""

import array
import asyncio
import os
import struct
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiro_client.cli.live import audio_source
from tiro_client.cli.live.audio_source import AudioSourceError, PacedAudio, PipedAudio
from tiro_client.cli.live.file_audio import open_audio_file
from tiro_client.live.config import AudioEncoding

SAMPLES = Path(__file__).parents[3] / "samples"


class FakeClock:
    """A clock in place of `time` and `asyncio`. Each sleep advances it."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """The sum of all sleeps, in seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += seconds


def write_wave(path: Path, samples: list[int], *, channels: int = 1, rate: int = 8000, width: int = 2) -> Path:
    """A WAV file of these samples, interleaved."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(b"".join(sample.to_bytes(width, "little", signed=width > 1) for sample in samples))
    return path


def ogg_page(payload: bytes, position: int) -> bytes:
    """A page of an Ogg stream, without a valid checksum, which is not read here."""
    return b"OggS" + struct.pack("<BBqIIIB", 0, 0, position, 1, 0, 0, 1) + bytes([len(payload)]) + payload


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    """A chunk of a RIFF file, with another size than its own if one is given."""
    return name + struct.pack("<I", len(body) if size is None else size) + body + bytes(len(body) % 2)


def wav_header(tag: int, bits: int, *, rate: int = 8000, channels: int = 1, rest: bytes = b"") -> bytes:
    """A WAV file up to its samples, without a length."""
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits) + rest
    return b"RIFF\x00\x00\x00\x00WAVE" + chunk(b"fmt ", form) + chunk(b"data", b"", 0)


EXTENSIBLE = struct.pack("<HHIH", 22, 16, 0, 1) + bytes.fromhex("000000001000800000aa00389b71")
"""What WAVE_FORMAT_EXTENSIBLE adds to a format: 16 valid bits, no positions, and the GUID of PCM."""


def test_wave_samples_come_in_pieces_of_a_tenth_of_a_second(tmp_path: Path) -> None:
    """A WAV file is sent as all of its samples, without its header."""
    samples = [index % 1000 for index in range(2000)]
    audio = open_audio_file(write_wave(tmp_path / "a.wav", samples))
    assert (audio.encoding, audio.sample_rate) == (AudioEncoding.LINEAR16, 8000)
    pieces = list(audio.pieces)
    assert [len(piece) for piece in pieces] == [1600, 1600, 800]
    assert array.array("h", b"".join(pieces)).tolist() == samples


@pytest.mark.parametrize("magic", [b"RIFF", b"RF64"])
@pytest.mark.parametrize("size", [0, 6, 0x7FFFFFFF, 0x7FFFFFFF - 36, 0xFFFFFFFF, 0xFFFFFFFF - 36])
def test_wave_files_of_streams_have_no_length(tmp_path: Path, magic: bytes, size: int) -> None:
    """A size that says nothing means all that follows. Behind samples of a known size other chunks may follow."""
    path = tmp_path / "a.wav"
    samples = struct.pack("<3h", 1, -2, 3)
    header = (
        magic + struct.pack("<I", size) + b"WAVE" + chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16))
    )
    notes = chunk(b"LIST", b"odd")
    path.write_bytes(header + notes + chunk(b"data", samples, size) + (notes if size == len(samples) else b""))
    audio = open_audio_file(path)
    assert (audio.encoding, audio.sample_rate) == (AudioEncoding.LINEAR16, 8000)
    assert b"".join(audio.pieces) == samples


def test_wave_files_of_more_than_two_channels(tmp_path: Path) -> None:
    """WAVE_FORMAT_EXTENSIBLE with PCM is read, with all channels. A frame that is cut off is left out."""
    path = tmp_path / "a.wav"
    path.write_bytes(wav_header(0xFFFE, 16, channels=3, rest=EXTENSIBLE) + struct.pack("<7h", 1, 2, 3, 10, 20, 30, 7))
    audio = open_audio_file(path)
    assert audio.channels == 3
    assert array.array("h", b"".join(audio.pieces)).tolist() == [1, 2, 3, 10, 20, 30]


async def through_pipe(tmp_path: Path, content: bytes) -> tuple[PacedAudio | PipedAudio, bytes]:
    """The source of a pipe with this content, and all of its audio."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.to_thread(pipe.write_bytes, content))
        audio = await asyncio.to_thread(open_audio_file, pipe)
        return audio, b"".join([piece async for piece in audio.chunks()])


async def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    """Audio from a pipe is whole, in any format."""
    samples = struct.pack("<300h", *range(300))
    audio, sent = await through_pipe(tmp_path, wav_header(1, 16) + samples)
    assert (audio.encoding, audio.sample_rate, sent) == (AudioEncoding.LINEAR16, 8000, samples)


@pytest.mark.parametrize(
    ("content", "encoding", "rate"),
    [
        ((SAMPLES / "spanish.flac").read_bytes(), AudioEncoding.FLAC, 22050),
        (b"fLaC" + bytes(14) + struct.pack(">Q", 8000 << 44) + bytes(5000), AudioEncoding.FLAC, 8000),
        (ogg_page(b"OpusHead" + bytes(11), 0) + ogg_page(bytes(200), 0), AudioEncoding.OGG_OPUS, 48_000),
    ],
    ids=["FLAC", "FLAC without a length", "Opus"],
)
async def test_compressed_audio_of_a_pipe_needs_no_length(
    tmp_path: Path, content: bytes, encoding: AudioEncoding, rate: int
) -> None:
    """Compressed audio from a pipe is sent as it comes."""
    audio, sent = await through_pipe(tmp_path, content)
    assert (audio.encoding, audio.sample_rate, sent) == (encoding, rate, content)


async def test_a_pipe_that_cannot_be_read_fails() -> None:
    """The error of a read is the source's."""

    def pieces() -> Iterator[bytes]:
        yield b"first"
        raise OSError("unplugged")

    chunks = PipedAudio(AudioEncoding.FLAC, 8000, pieces(), is_paced=False).chunks()
    assert await anext(chunks) == b"first"
    with pytest.raises(OSError, match="unplugged"):
        await anext(chunks)


def test_channels_are_left_to_the_service(tmp_path: Path) -> None:
    """Up to eight channels are sent as they are; the mean of more is sent."""
    samples = [100, 300, -32768, -32768]
    audio = open_audio_file(write_wave(tmp_path / "a.wav", samples, channels=2))
    assert audio.channels == 2
    assert array.array("h", b"".join(audio.pieces)).tolist() == samples
    many = open_audio_file(write_wave(tmp_path / "b.wav", [*range(1, 10), *[-32768] * 9], channels=9))
    assert many.channels == 1
    assert array.array("h", b"".join(many.pieces)).tolist() == [5, -32768]


@pytest.mark.parametrize(
    ("tag", "bits", "data", "expected"),
    [
        (1, 8, bytes([0, 128, 255]), [-32768, 0, 32512]),
        (1, 24, bytes.fromhex("ff0080 000000 00ff7f"), [-32768, 0, 32767]),
        (1, 32, struct.pack("<3i", -(2**31), 0, 2**31 - 1), [-32768, 0, 32767]),
        (3, 32, struct.pack("<6f", -1, 0, 0.5, 1, 7, float("nan")), [-32768, 0, 16384, 32767, 32767, 0]),
        (3, 64, struct.pack("<3d", -9, 0, 0.5), [-32768, 0, 16384]),
        (6, 8, bytes([0x2A, 0xAA, 0x55, 0xD5]), [-32256, 32256, -8, 8]),
        (7, 8, bytes([0x00, 0x80, 0x7F, 0xFF]), [-32124, 32124, 0, 0]),
    ],
    ids=["8 bit", "24 bit", "32 bit", "float", "double", "A-law", "mu-law"],
)
@pytest.mark.parametrize("is_extensible", [False, True])
def test_samples_become_16_bit_pcm(
    *, tmp_path: Path, tag: int, bits: int, data: bytes, expected: list[int], is_extensible: bool
) -> None:
    """Samples of other sizes and kinds are converted, those of G.711 by its tables."""
    extension = struct.pack("<HHIH", 22, bits, 0, tag) + EXTENSIBLE[10:]
    header = wav_header(0xFFFE, bits, rest=extension) if is_extensible else wav_header(tag, bits)
    path = tmp_path / "a.wav"
    path.write_bytes(header + data)
    assert array.array("h", b"".join(open_audio_file(path).pieces)).tolist() == expected


def test_samples_behind_an_old_size_are_sent(tmp_path: Path) -> None:
    """A recorder that was cut off leaves an old size in the header. What follows is sound unless it is a chunk."""
    samples = struct.pack("<8h", 1, -2, 3, -4, 5, -6, 7, -8)
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16))
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF\x00\x00\x00\x00WAVE" + form + b"data" + struct.pack("<I", 4) + samples)
    assert b"".join(open_audio_file(path).pieces) == samples


def test_flac_is_sent_as_it_is() -> None:
    """FLAC is sent byte for byte, in about as many pieces as it has tenths of a second."""
    path = SAMPLES / "spanish.flac"
    audio = open_audio_file(path)
    pieces = list(audio.pieces)
    assert (audio.encoding, audio.sample_rate) == (AudioEncoding.FLAC, 22050)
    assert b"".join(pieces) == path.read_bytes()
    assert len(pieces) == pytest.approx(105, abs=2)


def test_opus_is_paced_by_its_last_page(tmp_path: Path) -> None:
    """The position in its last page, at 48 kHz, is the duration of an Ogg Opus file."""
    path = tmp_path / "a.opus"
    path.write_bytes(ogg_page(b"OpusHead" + bytes(11), 0) + ogg_page(bytes(200), 48_000) + ogg_page(bytes(200), 96_000))
    audio = open_audio_file(path)
    pieces = list(audio.pieces)
    assert audio.encoding is AudioEncoding.OGG_OPUS
    assert b"".join(pieces) == path.read_bytes()
    assert len(pieces) == pytest.approx(20, abs=1)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"ID3\x04 an mp3", "takes WAV"),
        (b"", "takes WAV"),
        (b"RIFF\x04\x00\x00\x00WAVE", "not a WAV file"),
        (b"RIFF", "truncated"),
        (b"fLaC\x00\x00", "truncated"),
        (b"RIFF\x04\x00\x00\x00AVI " + bytes(60), "another header"),
        (wav_header(1, 16, rate=0), "format is not given"),
        (wav_header(0x55, 16), "format 85"),
        (wav_header(1, 16, rate=96_000), "8000 to 48000"),
        (b"RIFF\x00\x00\x00\x00WAVELIST\xff\xff\xff\x7f", "2147483647 bytes"),
        (b"fLaC" + bytes(60), "no sample rate"),
        (b"fLaC" + bytes(14) + struct.pack(">Q", 8000 << 44) + bytes(40), "no duration"),
        (ogg_page(b"\x01vorbis" + bytes(20), 0), "takes WAV"),
        (ogg_page(b"OpusHead" + bytes(11), 0), "no duration"),
    ],
)
def test_a_file_that_cannot_be_streamed_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    """Each kind of file that cannot be sent live is refused with the reason, and names the file."""
    path = tmp_path / "file.bin"
    path.write_bytes(content)
    with pytest.raises(AudioSourceError, match=why) as refusal:
        list(open_audio_file(path).pieces)
    assert str(path) in str(refusal.value)


async def test_pieces_are_paced_in_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece is due at its end in real time, and a slow reader does not delay later pieces."""
    clock = FakeClock()
    monkeypatch.setattr(audio_source, "time", clock)
    monkeypatch.setattr(audio_source, "asyncio", clock)
    pieces = [bytes([index]) for index in range(6)]
    came = []
    async for piece in PacedAudio(AudioEncoding.LINEAR16, 8000, iter(pieces)).chunks():
        came.append((piece, clock.now))
        if len(came) == 1:
            clock.now += 0.25  # a reader that is busy
    assert [piece for piece, _ in came] == pieces
    assert [moment for _, moment in came] == pytest.approx([0.1, 0.35, 0.35, 0.4, 0.5, 0.6])
