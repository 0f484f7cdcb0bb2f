"""The formats that are accepted, and how the others are refused."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from av.codec import Codec
from av.format import ContainerFormat

from tiro_core.audio.child.formats import CONTAINERS, DECODERS
from tiro_core.audio.decode import decode
from tiro_core.audio.errors import AudioError
from tiro_core.audio.headerless import HEADERLESS
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.probe import probe
from tools.formats import PAGE, page

AsFile = Callable[[bytes], BinaryIO]
Encode = Callable[..., bytes]

MEDIA = Path(__file__).parent / "media"
RATE = 16_000
SECONDS = 2.0
G723_BIT_RATE = 6_300
"""The one that FFmpeg encodes."""

ENCODED = [
    ("mpegts", "pcm_bluray", 48_000, "stereo", "x.m2ts"),
    ("vob", "pcm_dvd", 48_000, "stereo", "x.vob"),
    ("flv", "nellymoser", 16_000, "mono", "x.flv"),
    ("flv", "adpcm_swf", 22_050, "mono", "x.flv"),
    ("wav", "adpcm_yamaha", 16_000, "mono", "x.wav"),
    ("wav", "adpcm_ima_wav", 16_000, "mono", "x.wav"),
    ("wav", "g723_1", 8_000, "mono", "x.wav"),
    ("wav", "g726", 8_000, "mono", "x.wav"),
    ("wav", "pcm_alaw", 8_000, "mono", "x.wav"),
    ("amr", "libopencore_amrnb", 8_000, "mono", "x.amr"),
    ("3gp", "libopencore_amrnb", 8_000, "mono", "x.3gp"),
    ("alaw", "pcm_alaw", 8_000, "mono", "call.al"),
    ("mulaw", "pcm_mulaw", 8_000, "mono", "CALL.ULAW"),
    ("g722", "g722", 16_000, "mono", "call.g722"),
    ("s16le", "pcm_s16le", 8_000, "mono", "greeting.sln"),
]


async def measured(
    launcher: MediaLauncher, file: BinaryIO, limits: DecodeLimits, name: str
) -> tuple[float, float, np.ndarray]:
    """Return the seconds that the probe measures and those that are decoded, and the samples."""
    info = await probe(launcher, file, limits=limits, file_name=name)
    async with decode(launcher, file, rate=RATE, container=info.container, limits=limits) as stream:
        samples = np.concatenate([chunk async for chunk in stream])
    return info.duration_seconds, samples.size / RATE, samples


def loudest_hz(samples: np.ndarray) -> float:
    """Return the frequency with the most energy."""
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * RATE / samples.size)


@pytest.mark.parametrize(("container", "codec", "rate", "layout", "name"), ENCODED, ids=str)
async def test_a_tone_in_a_less_known_format(
    *,
    launcher: MediaLauncher,
    limits: DecodeLimits,
    as_file: AsFile,
    encode: Encode,
    container: str,
    codec: str,
    rate: int,
    layout: str,
    name: str,
) -> None:
    """Discs, telephony, Flash and samples without a header are decoded with their pitch and length."""
    bit_rate = G723_BIT_RATE if codec == "g723_1" else None
    data = encode(container, codec, rate, seconds=SECONDS, layout=layout, bit_rate=bit_rate)
    probed, decoded, samples = await measured(launcher, as_file(data), limits, name)
    assert decoded == pytest.approx(SECONDS, abs=0.2)
    assert probed == pytest.approx(decoded, abs=0.05)
    assert loudest_hz(samples) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("name", ["tone-dts.mka", "tone-truehd.mka", "tone-s302m.ts"])
async def test_sound_of_films(launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, name: str) -> None:
    """DTS, TrueHD and S302M are decoded."""
    probed, decoded, samples = await measured(launcher, as_file((MEDIA / name).read_bytes()), limits, name)
    assert probed == pytest.approx(decoded, abs=0.02)
    assert loudest_hz(samples) == pytest.approx(440, abs=8)


async def test_bare_gsm(launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile) -> None:
    """Frames of GSM 06.10 without a header, each of 33 bytes that begin with 0xD, are recognized: 20 ms each."""
    rng = random.Random(6)  # noqa: S311 - the same frames in every run
    data = b"".join(bytes([0xD0 | rng.randrange(16)]) + rng.randbytes(32) for _ in range(100))
    probed, decoded, _ = await measured(launcher, as_file(data), limits, "voicemail.gsm")
    assert (probed, decoded) == pytest.approx((2.0, 2.0), abs=0.01)


async def test_the_name_counts_without_a_header_alone(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """A wav file with the name of an A-law file is a wav file."""
    info = await probe(launcher, as_file(encode("wav", "pcm_s16le", 16_000)), limits=limits, file_name="call.al")
    assert info.container == "wav"


@pytest.mark.parametrize("name", ["", "call", "call.txt", "call.pcm"])
async def test_bare_samples_without_a_name_are_refused(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode, name: str
) -> None:
    """Samples without a header and without a name that describes them are NOT_AUDIO, which says what would help."""
    with pytest.raises(AudioError) as refusal:
        await probe(launcher, as_file(encode("alaw", "pcm_alaw", 8_000)), limits=limits, file_name=name)
    assert refusal.value.reason == "NOT_AUDIO"
    assert ".al" in str(refusal.value)


async def test_a_refused_codec_is_named(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """Sound in a codec that is not accepted is refused with the name of the codec, not for its parameters."""
    with pytest.raises(AudioError) as refusal:
        await probe(launcher, as_file(encode("wav", "dfpwm", 48_000)), limits=limits)
    assert refusal.value.reason == "AUDIO_UNDECODABLE"
    assert "dfpwm" in str(refusal.value)


def test_ffmpeg_has_every_accepted_format() -> None:
    """The tables name only what the FFmpeg in use can read."""
    for name in DECODERS:
        assert Codec(name, "r").type == "audio"
    for name in (*CONTAINERS, *(each.name for each in HEADERLESS)):
        assert ContainerFormat(name, "r").is_input
    assert len(set(DECODERS)) == len(DECODERS)


def test_the_page_has_the_accepted_formats() -> None:
    """docs/formats.md is what `make formats` writes."""
    assert PAGE.read_text(encoding="utf-8") == page()
