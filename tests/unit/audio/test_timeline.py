"""Sound is where the timestamps of its container put it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

import numpy as np
import pytest

from tests.unit.audio.timed_media import (
    BEEP_SECONDS,
    FLV,
    MANY_CHANNELS,
    MATROSKA,
    MOV,
    MP4,
    MPEG,
    MPEGTS,
    OGG,
    SURROUND,
    WEBM,
    Kind,
    beeps,
    sounding,
)
from tiro_core.audio.child.flac import FlacFrames
from tiro_core.audio.decode import decode
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.live import LiveFormat, decode_live
from tiro_core.audio.probe import probe
from tiro_core.audio.report import DecodeReport

AsFile = Callable[[bytes], BinaryIO]

RATE = 16_000
TOLERANCE_SECONDS = 0.06
"""Two packets of AAC, the priming of an encoder among them."""
AMR_COMFORT_NOISE = 8
AMR_FRAME_BYTES = [13, 14, 16, 18, 20, 21, 27, 32]
"""Frames of AMR with their header, by the type in it (RFC 4867, section 5.3)."""
KINDS = [MP4, MATROSKA, WEBM, MPEGTS, FLV]


class Subject:
    """Probes and decodes recordings."""

    def __init__(self, launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile) -> None:
        self._launcher = launcher
        self._limits = limits
        self._as_file = as_file

    async def decoded(
        self, data: bytes, *, hole_seconds_max: float = 3600.0
    ) -> tuple[list[tuple[float, float]], DecodeReport]:
        """Return where the recording sounds, and the report. The probe must measure the length that is decoded."""
        file, limit = self._as_file(data), replace(self._limits, hole_seconds_max=hole_seconds_max)
        async with decode(self._launcher, file, rate=RATE, limits=limit) as stream:
            samples = np.concatenate([chunk async for chunk in stream])
        assert stream.report is not None
        info = await probe(self._launcher, file, limits=limit)
        assert info.duration_seconds == pytest.approx(samples.size / RATE, abs=0.03)
        return sounding(samples, RATE), stream.report


@pytest.fixture
def subject(launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile) -> Subject:
    """Return what is tested."""
    return Subject(launcher, limits, as_file)


def assert_beeps(found: list[tuple[float, float]], starts: list[float]) -> None:
    """Check that there is one beep at each start."""
    assert [begin for begin, _ in found] == pytest.approx(starts, abs=TOLERANCE_SECONDS)
    assert all(end - begin == pytest.approx(BEEP_SECONDS, abs=TOLERANCE_SECONDS) for begin, end in found)


@pytest.mark.parametrize("kind", [*KINDS, MOV], ids=lambda kind: kind.container)
async def test_sound_that_begins_after_the_picture_is_late(subject: Subject, kind: Kind) -> None:
    """Silence stands for the time before a sound track that begins later than the picture; nothing is missing."""
    found, report = await subject.decoded(beeps(kind, [4.0], picture_seconds=5.2))
    assert_beeps(found, [4.0])
    assert not report.truncated


@pytest.mark.parametrize("kind", [MPEGTS, MPEG], ids=lambda kind: kind.container)
async def test_sound_that_begins_behind_what_ffmpeg_looks_at(subject: Subject, kind: Kind) -> None:
    """In streams without a header, sound that begins after many seconds is not known when the stream is opened."""
    found, _ = await subject.decoded(beeps(kind, [12.0], picture_seconds=13.2))
    assert_beeps(found, [12.0])


@pytest.mark.parametrize(
    "kind", [*KINDS, OGG, SURROUND, MANY_CHANNELS], ids=lambda kind: f"{kind.container} {kind.layout}"
)
async def test_holes_between_packets_are_silence(subject: Subject, kind: Kind) -> None:
    """A container without packets for some seconds has silence there; nothing is missing."""
    found, report = await subject.decoded(beeps(kind, [0.0, 3.0, 24.0]))
    assert_beeps(found, [0.0, 3.0, 24.0])
    assert (report.truncated, report.clock_restarts, report.damaged_packets) == (False, 0, 0)


async def test_the_edit_list_of_a_movie_with_sound_alone_counts(subject: Subject) -> None:
    """A movie counts from 0 also where all of it begins later."""
    found, _ = await subject.decoded(beeps(MOV, [3.0]))
    assert_beeps(found, [3.0])


@pytest.mark.parametrize("kind", [MATROSKA, WEBM, OGG, MPEGTS], ids=lambda kind: kind.container)
async def test_a_stream_that_was_joined_late_counts_from_its_start(subject: Subject, kind: Kind) -> None:
    """A container whose first timestamp is minutes begins there."""
    found, report = await subject.decoded(beeps(kind, [1200.0, 1203.0]))
    assert_beeps(found, [0.0, 3.0])
    assert (report.truncated, report.clock_restarts) == (False, 0)


@pytest.mark.parametrize("kind", [MP4, MATROSKA, WEBM, OGG, FLV], ids=lambda kind: kind.container)
@pytest.mark.parametrize("jump_seconds", [2 * 3600.0, 400 * 3600.0])
async def test_a_jump_by_hours_is_no_hole(subject: Subject, kind: Kind, jump_seconds: float) -> None:
    """Timestamps that jump by more than the longest hole are reported; the sound continues, and nothing is missing."""
    found, report = await subject.decoded(beeps(kind, [0.0, jump_seconds]))
    assert len(found) == 1
    assert report.decoded_duration_seconds == pytest.approx(2 * BEEP_SECONDS, abs=2 * TOLERANCE_SECONDS)
    assert not report.truncated


async def test_the_longest_hole_is_a_limit(subject: Subject) -> None:
    """A hole of the limit's length is silence, a longer one is none."""
    data = beeps(WEBM, [0.0, 10.0 + BEEP_SECONDS])
    _, silent = await subject.decoded(data, hole_seconds_max=11.0)
    _, jumped = await subject.decoded(data, hole_seconds_max=9.0)
    assert (silent.clock_restarts, jumped.clock_restarts) == (0, 1)
    assert silent.decoded_duration_seconds - jumped.decoded_duration_seconds == pytest.approx(10.0, abs=0.1)


async def test_timestamps_that_go_back_lose_nothing(subject: Subject) -> None:
    """Two transport streams in one file, the second with earlier timestamps, are one after the other."""
    found, report = await subject.decoded(beeps(MPEGTS, [100.0, 103.0]) + beeps(MPEGTS, [5.0, 9.0]))
    assert [begin for begin, _ in found] == pytest.approx([0.0, 3.0, 7.0 + BEEP_SECONDS], abs=TOLERANCE_SECONDS)
    assert report.clock_restarts == 1


async def test_a_chain_of_ogg_streams_is_no_fault(subject: Subject) -> None:
    """Each stream of a chain counts from its own start: they follow each other without a warning."""
    found, report = await subject.decoded(beeps(OGG, [0.0, 3.0]) * 2)
    assert [begin for begin, _ in found] == pytest.approx([0.0, 3.0, 6.0 + BEEP_SECONDS], abs=TOLERANCE_SECONDS)
    assert report.clock_restarts == 0


@pytest.mark.parametrize("frame_type", [8, 15], ids=["comfort noise", "no data"])
async def test_frames_of_amr_without_speech_are_silence(
    subject: Subject, encode: Callable[..., bytes], frame_type: int
) -> None:
    """A sender without speech transmits parameters of noise, or nothing: silence of 20 ms, and no damage."""
    data = encode("amr", "libopencore_amrnb", 8_000, seconds=2.0)
    magic = len(b"#!AMR\n")
    frame_bytes = AMR_FRAME_BYTES[data[magic] >> 3 & 0x0F]
    middle = magic + (len(data) - magic) // frame_bytes // 2 * frame_bytes
    quiet = bytes([frame_type << 3 | 4]) + bytes(5 if frame_type == AMR_COMFORT_NOISE else 0)
    found, report = await subject.decoded(data[:middle] + quiet * 100 + data[middle:])
    assert [time for sound in found for time in sound] == pytest.approx([0.0, 1.0, 3.0, 4.0], abs=0.1)
    assert report.damaged_packets == 0


async def test_lost_frames_of_live_flac_are_silence(
    launcher: MediaLauncher, limits: DecodeLimits, encode: Callable[..., bytes]
) -> None:
    """FLAC frames are numbered: those that a live stream lacks are silence."""
    data = encode("flac", "flac", RATE, seconds=6.0)
    header = data.index(b"\xff\xf8")
    frames = FlacFrames()
    pieces = [*frames.push(data[header:]), frames.flush()]
    seconds = 6.0 / len(pieces)
    begin, end = len(pieces) // 3, len(pieces) // 2
    kept = b"".join([data[:header], *pieces[:begin], *pieces[end:]])
    async with decode_live(launcher, LiveFormat.FLAC, rate=RATE, limits=limits) as decoder:

        async def feed() -> None:
            await decoder.write(kept)
            await decoder.end()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(feed())
            samples = np.concatenate([chunk async for chunk in decoder])
    found = [time for sound in sounding(samples, RATE) for time in sound]
    assert found == pytest.approx([0.0, begin * seconds, end * seconds, 6.0], abs=0.1)


async def test_live_ogg_has_the_clock_of_the_file(launcher: MediaLauncher, limits: DecodeLimits) -> None:
    """Silence stands for the time in which a live Ogg stream has no packets."""
    data = beeps(OGG, [0.0, 21.0])
    async with decode_live(launcher, LiveFormat.OGG_OPUS, rate=RATE, limits=limits) as decoder:

        async def feed() -> None:
            await decoder.write(data)
            await decoder.end()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(feed())
            samples = np.concatenate([chunk async for chunk in decoder])
    assert_beeps(sounding(samples, RATE), [0.0, 21.0])
