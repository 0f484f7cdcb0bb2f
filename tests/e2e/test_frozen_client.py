"""A client that is frozen in mid-session: a real `tiro listen`, suspended by SIGSTOP."""

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
from tiro_client import AsyncClient, Final, LiveConfig, LiveEvent, LiveStream, Partial
from tiro_engines.fake.markers import encode

RATE = 16_000
IDLE_SECONDS = 2
END_SECONDS_MAX = 5.0
"""Limit of the time from the idle time to the end of the session."""
WORDS = range(40)
SENTENCES = 6
SENTENCE_WORDS = 3


@pytest.fixture
def impatient_stack(tmp_path: Path) -> Iterator[Stack]:
    """Tiro with the fake engine and a short idle time."""
    settings = {
        "TIRO_ENGINE": "fake",
        "TIRO_DEFAULT_ENGINE": "fake",
        "TIRO_IDLE_SECONDS_MAX": str(IDLE_SECONDS),
    }
    with running_stack(tmp_path, settings) as running:
        yield running


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Sentences of numbered words, with pauses that make them final."""
    sentences = [
        np.concatenate((encode(range(first, first + SENTENCE_WORDS)), np.zeros(RATE, np.int16)))
        for first in range(0, SENTENCES * SENTENCE_WORDS, SENTENCE_WORDS)
    ]
    path = tmp_path / "speech.wav"
    path.write_bytes(wav(np.concatenate(sentences)))
    return path


@asynccontextmanager
async def listening(stack: Stack, recording: Path, *options: str) -> AsyncIterator[Process]:
    """`tiro listen` with a recording, once it has printed the first sentence. It is killed at the end."""
    environment = {**os.environ, **stack.environment}
    command = [executable, "-m", "tiro_client", "listen", *options, str(recording)]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)
    try:
        assert process.stdout is not None
        assert b"w0 w1 w2" in await process.stdout.readline()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def neighbour(stack: Stack) -> AsyncIterator[LiveStream]:
    """Another session, in mid-sentence. At the end it must give every word, whatever happens meanwhile."""
    samples = encode(WORDS)
    half = len(samples) // 2
    async with (
        AsyncClient(stack.address, streaming_address=stack.streaming_address) as client,
        client.open_stream(LiveConfig(sample_rate=RATE, engine="fake")) as live,
    ):
        await live.send(samples[:half].tobytes())
        events: list[LiveEvent] = []
        async for event in live:
            events.append(event)
            if isinstance(event, Partial):
                break
        yield live
        await live.send(samples[half:].tobytes())
        await live.end()
        events += [event async for event in live]
        words = [word for event in events if isinstance(event, Final) for word in event.segment.text.split()]
        assert words == [f"w{number}" for number in WORDS]


async def test_a_frozen_client_resumes_once_it_is_thawed(impatient_stack: Stack, recording: Path) -> None:
    """The session waits for its client, which then gets every word once and in order. Other sessions continue."""
    async with listening(impatient_stack, recording) as frozen, neighbour(impatient_stack):
        frozen.send_signal(SIGSTOP)
        await asyncio.to_thread(impatient_stack.streamer.wait_for, "session_detached", IDLE_SECONDS + END_SECONDS_MAX)
        frozen.send_signal(SIGCONT)
        text, errors = await frozen.communicate()
    assert frozen.returncode == 0, errors
    words = [word for word in text.decode().split() if word.startswith("w")]
    assert words == [f"w{number}" for number in range(SENTENCE_WORDS, SENTENCES * SENTENCE_WORDS)]


async def test_a_frozen_client_that_cannot_resume_is_ended(impatient_stack: Stack, recording: Path) -> None:
    """The session ends after the idle time, and its client gets SESSION_IDLE once thawed. Other sessions continue."""
    async with (
        listening(impatient_stack, recording, "--resume-seconds", "0") as frozen,
        neighbour(impatient_stack),
    ):
        frozen.send_signal(SIGSTOP)
        await asyncio.to_thread(impatient_stack.transcriber.wait_for, "session_ended", IDLE_SECONDS + END_SECONDS_MAX)
        frozen.send_signal(SIGCONT)
        _, errors = await frozen.communicate()
    assert frozen.returncode != 0
    assert b"SESSION_IDLE" in errors
