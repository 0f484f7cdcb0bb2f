"""FLAC frames are found in any chunks of bytes."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tiro_core.audio.child.flac import FlacFrames, frame_number

Encode = Callable[..., bytes]


def media_of(data: bytes) -> bytes:
    """Return the bytes after the metadata blocks (RFC 9639, section 8)."""
    at, last = 4, False
    while not last:
        last = bool(data[at] & 0x80)
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    return data[at:]


@pytest.fixture
def flac(encode: Encode) -> bytes:
    """Return the frames of three seconds."""
    return media_of(encode("flac", "flac", 16_000, seconds=3.0))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 5000), min_size=1, max_size=40))
def test_frames_do_not_depend_on_how_bytes_arrive(flac: bytes, cuts: list[int]) -> None:
    """Any chunks give every frame, numbered without a gap, and every byte once."""
    cutter, at = FlacFrames(), 0
    frames: list[bytes] = []
    for size in [*cuts, len(flac)]:
        frames += cutter.push(flac[at : at + size])
        at += size
    frames.append(cutter.flush())
    assert b"".join(frames) == flac
    assert [frame_number(frame) for frame in frames] == list(range(len(frames)))


def test_a_damaged_frame_does_not_affect_the_next_one(flac: bytes) -> None:
    """A frame whose checksum is wrong still ends where the next number begins."""
    whole = [*(cutter := FlacFrames()).push(flac), cutter.flush()]
    damaged = bytearray(flac)
    damaged[len(whole[0]) + len(whole[1]) // 2] ^= 0x10
    frames = [*(cutter := FlacFrames()).push(bytes(damaged)), cutter.flush()]
    assert [len(frame) for frame in frames] == [len(frame) for frame in whole]


def test_bytes_that_are_no_header_have_no_number() -> None:
    """Silence, noise and a lone sync code are not frames."""
    noise = np.random.default_rng(1).integers(0, 256, 100_000, np.uint8).tobytes()
    assert frame_number(bytes(16)) is None
    assert frame_number(b"\xff\xf8" + bytes(14)) is None
    assert sum(frame_number(noise[at : at + 16]) is not None for at in range(0, len(noise), 16)) == 0
