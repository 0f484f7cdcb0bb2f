"""In what pieces a session hears its line."""

from typing import Any, cast

import pytest

from tiro.events.v1.live_pb2 import LiveInput
from tiro.streaming.v1.streaming_pb2 import Finalize
from tiro_transcriber.sessions.input import QUEUED_MAX, AudioLogGap, SessionInput

FRAME = 1_600


def line() -> SessionInput:
    """A line of which nothing has come; nothing here asks for NATS."""
    return SessionInput(cast("Any", None), first_sample=0, on_data=lambda: None)


def frame(number: int, samples: int = FRAME) -> LiveInput:
    """The frame of this number."""
    return LiveInput(first_sample=number * samples, pcm16=bytes(2 * samples))


async def test_too_little_audio_waits_for_more() -> None:
    """Until there is enough to be worth a turn; then all of it is taken, up to the most."""
    short = line()
    await short.add(1, frame(0))
    assert short.take(10 * FRAME, samples_min=2 * FRAME) is None
    await short.add(2, frame(1))
    await short.add(3, frame(2))
    turn = short.take(2 * FRAME, samples_min=2 * FRAME)
    assert turn is not None
    assert len(turn.samples) == 2 * FRAME
    assert short.waiting_samples == FRAME


async def test_a_session_is_woken_for_what_is_worth_a_turn() -> None:
    """Not for each message of audio: for as much as it wanted when it last looked, for a control, or a full queue."""
    told: list[int] = []
    woken = SessionInput(cast("Any", None), first_sample=0, on_data=lambda: told.append(woken.waiting_samples))
    assert woken.take(10 * FRAME, samples_min=2 * FRAME) is None
    await woken.add(1, frame(0))
    assert told == []
    await woken.add(2, frame(1))
    assert told == [2 * FRAME]
    assert woken.take(10 * FRAME, samples_min=5 * FRAME) is None
    await woken.add(3, LiveInput(first_sample=2 * FRAME, finalize=Finalize()))
    assert told == [2 * FRAME, 2 * FRAME]
    assert woken.take(10 * FRAME, samples_min=QUEUED_MAX * FRAME) is not None
    for number in range(QUEUED_MAX):
        await woken.add(4 + number, frame(2 + number, samples=FRAME))
    assert len(told) == 3


async def test_a_control_does_not_wait_for_audio() -> None:
    """It is taken at once, with what little came before it."""
    controlled = line()
    await controlled.add(1, frame(0))
    await controlled.add(2, LiveInput(first_sample=FRAME, finalize=Finalize()))
    turn = controlled.take(10 * FRAME, samples_min=5 * FRAME)
    assert turn is not None
    assert turn.control is not None
    assert len(turn.samples) == FRAME
    await controlled.add(3, frame(1))
    assert controlled.take(10 * FRAME, samples_min=5 * FRAME) is None


async def test_a_sign_of_life_is_taken_at_once() -> None:
    """A session whose streamer has nothing to send is not taken for dead."""
    quiet = line()
    await quiet.add(1, LiveInput(first_sample=0, pcm16=b""))
    turn = quiet.take(10 * FRAME, samples_min=5 * FRAME)
    assert turn is not None
    assert (len(turn.samples), turn.control) == (0, None)


async def test_tiny_frames_are_taken_when_there_is_no_room_for_more() -> None:
    """What can wait is limited in messages, and must not wait for samples that find no room."""
    tiny = line()
    for number in range(QUEUED_MAX):
        assert tiny.take(FRAME, samples_min=FRAME) is None
        await tiny.add(number + 1, frame(number, samples=1))
    turn = tiny.take(FRAME, samples_min=FRAME)
    assert turn is not None
    assert len(turn.samples) == QUEUED_MAX


async def test_missing_audio_is_noticed() -> None:
    """Nobody transcribes over a hole."""
    broken = line()
    await broken.add(1, frame(0))
    await broken.add(2, frame(2))
    with pytest.raises(AudioLogGap, match="1600 is missing"):
        broken.take(10 * FRAME)
