"""A client that is frozen in mid-session: a real `tiro listen`, stopped by a signal that no program can catch."""

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from sys import executable

import numpy as np
import pytest

from tests.e2e.speech import wav
from tests.support.stack import Stack, running_stack
from tiro_client import AsyncClient, Final, LiveConfig, LiveEvent, Partial
from tiro_engines.fake.markers import encode

RATE = 16_000
IDLE_SECONDS = 2
END_SECONDS_MAX = 5.0
"""How long after the idle time the session may take to end."""
WORDS = range(40)
SENTENCES = 40
SENTENCE = np.concatenate((encode(range(3)), np.zeros(RATE, np.int16)))
"""A second of words, and a pause that makes them final."""


@pytest.fixture
def impatient_stack(tmp_path: Path) -> Iterator[Stack]:
    """Tiro with the fake engine, which ends the session of a client that is silent for a short time."""
    settings = {
        "TIRO_ENGINE": "fake",
        "TIRO_DEFAULT_ENGINE": "fake",
        "TIRO_IDLE_SECONDS_MAX": str(IDLE_SECONDS),
    }
    with running_stack(tmp_path, settings) as running:
        yield running


@asynccontextmanager
async def listening(stack: Stack, recording: Path) -> AsyncIterator[Process]:
    """`tiro listen` with a recording. It is gone at the end."""
    environment = {**os.environ, **stack.environment}
    command = [executable, "-m", "tiro_client", "listen", str(recording)]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_frozen_client_is_ended_and_harms_nobody(impatient_stack: Stack, tmp_path: Path) -> None:
    """Its session ends after the idle time; the one beside it goes on; it is told why once it is thawed."""
    stack, recording = impatient_stack, tmp_path / "speech.wav"
    recording.write_bytes(wav(np.tile(SENTENCE, SENTENCES)))
    async with (
        AsyncClient(stack.address, streaming_address=stack.streaming_address) as client,
        client.open_stream(LiveConfig(sample_rate=RATE, engine="fake")) as neighbour,
        listening(stack, recording) as frozen,
    ):
        samples = encode(WORDS)
        await neighbour.send(samples[: len(samples) // 2].tobytes())
        events: list[LiveEvent] = []
        async for event in neighbour:
            events.append(event)
            if isinstance(event, Partial):
                break
        assert frozen.stdout is not None
        assert b"w0 w1 w2" in await frozen.stdout.readline()
        frozen.send_signal(SIGSTOP)
        await asyncio.to_thread(stack.transcriber.wait_for, "session_ended", IDLE_SECONDS + END_SECONDS_MAX)
        await neighbour.send(samples[len(samples) // 2 :].tobytes())
        await neighbour.end()
        events += [event async for event in neighbour]
        words = [word for event in events if isinstance(event, Final) for word in event.segment.text.split()]
        assert words == [f"w{number}" for number in WORDS]
        frozen.send_signal(SIGCONT)
        _, said = await frozen.communicate()
    assert frozen.returncode != 0
    assert b"SESSION_IDLE" in said
