"""Probes of valid files, invalid files and files with wrong headers."""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

import numpy as np
import pytest

from tiro_core.audio.decode import decode
from tiro_core.audio.errors import AudioError
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.probe import probe

AsFile = Callable[[bytes], BinaryIO]
Encode = Callable[..., bytes]

GOOD = [
    ("wav", "pcm_s16le", 16_000, "pcm_s16le"),
    ("wav", "pcm_mulaw", 8_000, "pcm_mulaw"),
    ("mp3", "libmp3lame", 44_100, "mp3"),
    ("ipod", "aac", 44_100, "aac"),
    ("flac", "flac", 22_050, "flac"),
    ("ogg", "libopus", 48_000, "opus"),
    ("webm", "libopus", 48_000, "opus"),
    ("mp4", "aac", 48_000, "aac"),
    ("adts", "aac", 16_000, "aac"),
]

NOT_AUDIO = {
    "text": b"Dear customer, this is not a recording.\n" * 50,
    "ffconcat": b"ffconcat version 1.0\nfile '/etc/hostname'\n",
    "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"></MPD>',
    "zeros": bytes(4096),
    "one byte": b"R",
}


@pytest.mark.parametrize(("container", "codec", "rate", "name"), GOOD, ids=str)
async def test_a_good_file_is_described(
    *,
    launcher: MediaLauncher,
    limits: DecodeLimits,
    as_file: AsFile,
    encode: Encode,
    container: str,
    codec: str,
    rate: int,
    name: str,
) -> None:
    """A probe reports codec, rate, channels and the measured duration, for each container."""
    data = encode(container, codec, rate, seconds=2.0, layout="stereo", video=container in {"mp4", "webm"})
    info = await probe(launcher, as_file(data), limits=limits)
    assert (info.codec, info.sample_rate_hz, info.channels) == (name, rate, 2)
    assert info.duration_seconds == pytest.approx(2.0, abs=0.15)
    assert info.damaged_packets == 0


@pytest.mark.parametrize("data", NOT_AUDIO.values(), ids=NOT_AUDIO.keys())
async def test_a_file_that_is_not_media_is_refused(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, data: bytes
) -> None:
    """Text, playlists and references to other files are NOT_AUDIO."""
    with pytest.raises(AudioError) as refusal:
        await probe(launcher, as_file(data), limits=limits)
    assert refusal.value.reason == "NOT_AUDIO"


async def test_an_empty_file_has_its_own_reason(launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile) -> None:
    """A file without bytes is EMPTY_AUDIO."""
    with pytest.raises(AudioError) as refusal:
        await probe(launcher, as_file(b""), limits=limits)
    assert refusal.value.reason == "EMPTY_AUDIO"


async def test_a_video_without_sound_has_its_own_reason(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, silent_video: bytes
) -> None:
    """A container without an audio stream is NO_AUDIO_STREAM."""
    with pytest.raises(AudioError) as refusal:
        await probe(launcher, as_file(silent_video), limits=limits)
    assert refusal.value.reason == "NO_AUDIO_STREAM"


@pytest.mark.parametrize("seconds", [0.0, 0.05])
async def test_audio_below_the_shortest_length_is_refused(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode, seconds: float
) -> None:
    """Less than a tenth of a second, or a header alone, is AUDIO_TOO_SHORT."""
    header = encode("wav", "pcm_s16le", 16_000, seconds=0.05)
    data = header if seconds else header[: header.index(b"data") + 8]
    with pytest.raises(AudioError) as refusal:
        await probe(launcher, as_file(data), limits=limits)
    assert refusal.value.reason == "AUDIO_TOO_SHORT"


@pytest.mark.parametrize(("container", "codec", "rate"), [("wav", "pcm_s16le", 16_000), ("ogg", "libopus", 48_000)])
async def test_a_file_over_the_limit_is_too_long(
    *,
    launcher: MediaLauncher,
    limits: DecodeLimits,
    as_file: AsFile,
    encode: Encode,
    container: str,
    codec: str,
    rate: int,
) -> None:
    """A file with more seconds than the limit is AUDIO_TOO_LONG."""
    data = encode(container, codec, rate, seconds=5.0)
    with pytest.raises(AudioError) as refusal:
        await probe(launcher, as_file(data), limits=replace(limits, duration_seconds_max=4.0))
    assert refusal.value.reason == "AUDIO_TOO_LONG"


async def test_the_duration_is_measured_not_read_from_the_header(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """A WAV file of two seconds whose header claims an hour has two seconds."""
    data = bytearray(encode("wav", "pcm_s16le", 16_000, seconds=2.0))
    struct.pack_into("<I", data, data.index(b"data") + 4, 3600 * 32_000)
    info = await probe(launcher, as_file(bytes(data)), limits=limits)
    assert info.duration_seconds == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("times", [10, 1.1])
async def test_the_duration_is_that_of_the_samples_not_of_the_packets(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode, times: float
) -> None:
    """An m4a file with a false timescale has the duration of its samples, and no silence between them."""
    data = bytearray(encode("ipod", "aac", 16_000, seconds=8.0))
    timescale_at = data.index(b"mdhd") + 4 + 12
    struct.pack_into(">I", data, timescale_at, round(times * struct.unpack_from(">I", data, timescale_at)[0]))
    file = as_file(bytes(data))
    info = await probe(launcher, file, limits=limits)
    assert info.duration_seconds == pytest.approx(8.0, abs=0.2)
    async with decode(launcher, file, limits=limits) as stream:
        samples = np.concatenate([chunk async for chunk in stream])
    assert stream.report is not None
    assert stream.report.decoded_duration_seconds == pytest.approx(8.0, abs=0.2)
    inside = samples[1_600 : 1_600 + 7 * 16_000].reshape(-1, 160)
    assert np.abs(inside).max(axis=1).min() > 1_000


async def test_the_position_of_the_file_does_not_matter(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, encode: Encode
) -> None:
    """A file whose position is at its end is read from its start, and keeps its position."""
    file = as_file(encode("wav", "pcm_s16le", 16_000))
    position = file.tell()
    await probe(launcher, file, limits=limits)
    assert file.tell() == position > 0
