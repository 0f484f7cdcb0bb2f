"""Workers that are killed again and again under many live sessions: real processes, the fake engine."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import Stack, restart_process, running_stack
from tiro_client import AsyncClient, Final, LiveConfig, LiveEvent, LiveStream, Partial, WorkerChanged
from tiro_engines.fake.markers import encode

SESSIONS = 6
KILLS = 3
WORDS_A_TURN = 10
WORDS_APART = 1000
"""Distance of the first words of two sessions, so that no word is in both."""


@pytest.fixture
def stack_of_two(tmp_path: Path) -> Iterator[Stack]:
    """Tiro with two workers that have the fake engine."""
    settings = {"TIRO_ENGINE": "fake", "TIRO_DEFAULT_ENGINE": "fake"}
    with running_stack(tmp_path, settings, transcribers=2) as running:
        yield running


class Speaker:
    """One session, which speaks a few words at a time."""

    def __init__(self, live: LiveStream, first_word: int) -> None:
        self._live = live
        self._next = self._first = first_word
        self._events: list[LiveEvent] = []

    @property
    def spoken(self) -> list[str]:
        """Every word so far."""
        return [f"w{number}" for number in range(self._first, self._next)]

    @property
    def transcribed(self) -> list[str]:
        """The words of the finals so far."""
        return [word for event in self._events if isinstance(event, Final) for word in event.segment.text.split()]

    @property
    def workers_changed(self) -> int:
        """The number of takeovers by another worker."""
        return sum(isinstance(event, WorkerChanged) for event in self._events)

    async def speak(self) -> None:
        """Continue the sentence, and wait until its last word is shown."""
        numbers = range(self._next, self._next + WORDS_A_TURN)
        self._next = numbers.stop
        await self._live.send(encode(numbers).tobytes())
        async for event in self._live:
            self._events.append(event)
            if isinstance(event, Partial | Final) and event.segment.text.split()[-1] == self.spoken[-1]:
                return

    async def finish(self) -> None:
        """End the audio, and read the rest."""
        await self._live.end()
        self._events += [event async for event in self._live]


async def _talk(client: AsyncClient, index: int, turn: asyncio.Barrier) -> Speaker:
    """Speak once before each kill and once after the last one."""
    async with client.open_stream(LiveConfig(sample_rate=16_000, engine="fake")) as live:
        speaker = Speaker(live, index * WORDS_APART)
        for _ in range(KILLS):
            await speaker.speak()
            await turn.wait()  # all are in mid-sentence: the kill comes
            await turn.wait()  # it has come
        await speaker.speak()
        await speaker.finish()
    return speaker


async def _kill(stack: Stack, turn: asyncio.Barrier) -> None:
    for number in range(KILLS):
        await turn.wait()
        worker = stack.transcribers[number % len(stack.transcribers)]
        await asyncio.to_thread(worker.kill)
        await turn.wait()
        await asyncio.to_thread(restart_process, worker, "transcriber")


async def test_no_word_is_lost_or_repeated_however_often_workers_die(stack_of_two: Stack) -> None:
    """Each of two workers is killed in turn, with all its sessions in mid-sentence: every word comes once, in order."""
    turn = asyncio.Barrier(SESSIONS + 1)
    async with (
        AsyncClient(stack_of_two.address, streaming_address=stack_of_two.streaming_address) as client,
        asyncio.TaskGroup() as tasks,
    ):
        talking = [tasks.create_task(_talk(client, index, turn)) for index in range(SESSIONS)]
        tasks.create_task(_kill(stack_of_two, turn))
    speakers = [talk.result() for talk in talking]
    assert [speaker.transcribed for speaker in speakers] == [speaker.spoken for speaker in speakers]
    # Whoever the first kill did not hit is on the other worker, which the second one hits.
    assert sum(speaker.workers_changed for speaker in speakers) >= SESSIONS
