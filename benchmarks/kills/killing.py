"""Killing workers under live sessions: at times from a seeded generator, each worker restarted at once."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.kills.deployment import Deployment, Worker
from benchmarks.kills.speaker import Pause, Spoken
from benchmarks.kills.speech import Speech
from tiro_client import AsyncClient

WAIT_SECONDS = (0.5, 2.5)
"""The time between the recovery from one kill and the next kill, at least and at most."""
STAGGER_SECONDS = 5.0
"""Speakers begin within this time, so that their sentences do not coincide."""
LOOK_SECONDS = 0.05
"""How often to look for a session with speech."""
SILENCE_SECONDS_MAX = 60.0
"""A benchmark without speech for this long is broken."""


@dataclass(frozen=True, slots=True)
class Hit:
    """The effect of one kill on one session of the killed worker."""

    spoken: Spoken
    at_seconds: float
    """Of its speech."""
    pause: Pause


@dataclass(frozen=True, slots=True)
class Speakers:
    """The speakers: a number at a time, each with one session after the other."""

    engine: str
    model: str
    at_once: int
    next_speech: Callable[[], Speech]


class Killing:
    """One run: concurrent speakers, and kills."""

    def __init__(
        self, deployment: Deployment, client: AsyncClient, speakers: Speakers, *, kills: int, seed: int
    ) -> None:
        self._deployment = deployment
        self._client = client
        self._speakers = speakers
        self._kills = kills
        self._random = random.Random(seed)
        self._done = False
        self.spoken: list[Spoken] = []
        """Every session."""
        self.hits: list[list[Hit]] = []
        """The effects of each kill."""

    async def run(self) -> None:
        """Kill as often as asked, then let all sessions finish."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._speakers.at_once):
                tasks.create_task(self._speak())
            while len(self.hits) < self._kills:
                self.hits.append(await self._kill())
            self._done = True

    async def _speak(self) -> None:
        await asyncio.sleep(self._random.uniform(0, STAGGER_SECONDS))
        while not self._done:
            spoken = Spoken(self._speakers.next_speech())
            self.spoken.append(spoken)
            await spoken.run(self._client, self._speakers.engine, self._speakers.model)

    async def _kill(self) -> list[Hit]:
        """Kill the worker of a session in mid-sentence, and wait until all of its sessions have recovered."""
        await asyncio.sleep(self._random.uniform(*WAIT_SECONDS))
        async with asyncio.timeout(SILENCE_SECONDS_MAX):
            worker = await self._worker_of_a_speaker()
        served = worker.sessions()
        hit = [one for one in self.spoken if one.is_speaking and one.session_id in served]
        at = time.monotonic()
        await asyncio.to_thread(worker.kill)
        again = asyncio.create_task(asyncio.to_thread(worker.start))
        pauses = await asyncio.gather(*(one.pause_after(at) for one in hit))
        await again
        return [Hit(one, one.seconds_at(at), pause) for one, pause in zip(hit, pauses, strict=True)]

    async def _worker_of_a_speaker(self) -> Worker:
        """Wait until a session is in the middle of a sentence, and return its worker."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            speaking = [one for one in self.spoken if one.is_speaking]
            if not speaking:
                continue
            chosen = self._random.choice(speaking)
            now = chosen.seconds_at(time.monotonic())
            due = chosen.speech.mid_sentence(now)
            if due is None:  # its last sentence is over
                continue
            await asyncio.sleep(due - now)
            for worker in self._deployment.workers:
                if chosen.is_speaking and chosen.session_id in worker.sessions():
                    return worker
