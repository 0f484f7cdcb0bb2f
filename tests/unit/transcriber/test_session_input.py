"""The turns in which a session takes its audio log."""

from typing import Any, cast

import pytest

from tiro.events.v1.live_pb2 import LiveInput
from tiro.streaming.v1.streaming_pb2 import Finalize
from tiro_transcriber.sessions.input import QUEUED_MAX, AudioLogGap, SessionInput

FRAME = 1_600


def empty_input() -> SessionInput:
    """An input without messages. These tests do not need NATS."""
    return SessionInput(cast("Any", None), first_sample=0, on_data=lambda: None)


def frame(number: int, samples: int = FRAME) -> LiveInput:
    """The frame with this number."""
    return LiveInput(first_sample=number * samples, pcm16=bytes(2 * samples))


async def test_too_little_audio_waits_for_more() -> None:
    """Audio is taken once it reaches the minimum of a turn, up to its maximum."""
    short = empty_input()
    await short.add(1, frame(0))
    assert short.take(10 * FRAME, samples_min=2 * FRAME) is None
    await short.add(2, frame(1))
    await short.add(3, frame(2))
    turn = short.take(2 * FRAME, samples_min=2 * FRAME)
    assert turn is not None
    assert len(turn.samples) == 2 * FRAME
    assert short.waiting_samples == FRAME


async def test_a_session_is_notified_once_a_turn_is_due() -> None:
    """A session is notified of audio that reaches its last minimum, of a control, and of a full queue."""
    notified: list[int] = []
    session_input = SessionInput(
        cast("Any", None), first_sample=0, on_data=lambda: notified.append(session_input.waiting_samples)
    )
    assert session_input.take(10 * FRAME, samples_min=2 * FRAME) is None
    await session_input.add(1, frame(0))
    assert notified == []
    await session_input.add(2, frame(1))
    assert notified == [2 * FRAME]
    assert session_input.take(10 * FRAME, samples_min=5 * FRAME) is None
    await session_input.add(3, LiveInput(first_sample=2 * FRAME, finalize=Finalize()))
    assert notified == [2 * FRAME, 2 * FRAME]
    assert session_input.take(10 * FRAME, samples_min=QUEUED_MAX * FRAME) is not None
    for number in range(QUEUED_MAX):
        await session_input.add(4 + number, frame(2 + number, samples=FRAME))
    assert len(notified) == 3


async def test_a_control_does_not_wait_for_audio() -> None:
    """A control is taken at once, with the audio before it."""
    controlled = empty_input()
    await controlled.add(1, frame(0))
    await controlled.add(2, LiveInput(first_sample=FRAME, finalize=Finalize()))
    turn = controlled.take(10 * FRAME, samples_min=5 * FRAME)
    assert turn is not None
    assert turn.control is not None
    assert len(turn.samples) == FRAME
    await controlled.add(3, frame(1))
    assert controlled.take(10 * FRAME, samples_min=5 * FRAME) is None


async def test_a_keep_alive_is_taken_at_once() -> None:
    """Empty audio, by which a streamer shows that it is alive, is taken at once."""
    quiet = empty_input()
    await quiet.add(1, LiveInput(first_sample=0, pcm16=b""))
    turn = quiet.take(10 * FRAME, samples_min=5 * FRAME)
    assert turn is not None
    assert (len(turn.samples), turn.control) == (0, None)


async def test_tiny_frames_are_taken_when_the_queue_is_full() -> None:
    """The queue is limited in messages: a full one is taken although it is below the minimum of samples."""
    tiny = empty_input()
    for number in range(QUEUED_MAX):
        assert tiny.take(FRAME, samples_min=FRAME) is None
        await tiny.add(number + 1, frame(number, samples=1))
    turn = tiny.take(FRAME, samples_min=FRAME)
    assert turn is not None
    assert len(turn.samples) == QUEUED_MAX


async def test_a_gap_in_the_audio_log_raises() -> None:
    """Missing samples raise AudioLogGap."""
    broken = empty_input()
    await broken.add(1, frame(0))
    await broken.add(2, frame(2))
    with pytest.raises(AudioLogGap, match="1600 is missing"):
        broken.take(10 * FRAME)
