"""Files as live audio."""

import array
import struct
import wave
from pathlib import Path

import pytest

from tiro_client.cli.live import audio_source
from tiro_client.cli.live.audio_source import AudioSourceError, PacedAudio
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


def test_wave_samples_come_in_pieces_of_a_tenth_of_a_second(tmp_path: Path) -> None:
    """A WAV file is sent as all of its samples, without its header."""
    samples = [index % 1000 for index in range(2000)]
    audio = open_audio_file(write_wave(tmp_path / "a.wav", samples))
    assert (audio.encoding, audio.sample_rate) == (AudioEncoding.LINEAR16, 8000)
    pieces = list(audio.pieces)
    assert [len(piece) for piece in pieces] == [1600, 1600, 800]
    assert array.array("h", b"".join(pieces)).tolist() == samples


def test_channels_are_mixed(tmp_path: Path) -> None:
    """A live stream has one channel: the mean of the file's channels."""
    audio = open_audio_file(write_wave(tmp_path / "a.wav", [100, 300, -32768, -32768], channels=2))
    assert array.array("h", b"".join(audio.pieces)).tolist() == [200, -32768]


def test_flac_is_sent_as_it_is() -> None:
    """FLAC is sent byte for byte, in about as many pieces as it has tenths of a second."""
    path = SAMPLES / "spanish.flac"
    audio = open_audio_file(path)
    pieces = list(audio.pieces)
    assert (audio.encoding, audio.sample_rate) == (AudioEncoding.FLAC, 22050)
    assert b"".join(pieces) == path.read_bytes()
    assert len(pieces) == pytest.approx(105, abs=2)


def ogg_page(payload: bytes, position: int) -> bytes:
    """A page of an Ogg stream, without a valid checksum, which is not read here."""
    return b"OggS" + struct.pack("<BBqIIIB", 0, 0, position, 1, 0, 0, 1) + bytes([len(payload)]) + payload


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
        (b"fLaC" + bytes(60), "no duration"),
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


def test_other_sample_sizes_are_refused(tmp_path: Path) -> None:
    """A WAV file with 24-bit samples is refused by name."""
    with pytest.raises(AudioSourceError, match="24-bit"):
        open_audio_file(write_wave(tmp_path / "a.wav", [1, 2], width=3))


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
