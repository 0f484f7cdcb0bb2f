"""Callers who want a job done: each repeats one `request_id` until the job is accepted, and counts what it is told."""

import asyncio
import itertools
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from tests.support.cluster import words
from tests.support.cluster.errors import label
from tests.support.cluster.words import Vocabulary
from tiro_client import AsyncClient
from tiro_client.errors import TiroError

WORDS_A_JOB = 3
TRIES_MAX = 60
"""How often a caller asks before it gives up. Each time the client library itself asks for 30 s."""
WAIT_SECONDS = 0.5
IN_FLIGHT_MAX = 200
"""Callers who insist at once. Later ones wait for their turn."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job that the service has promised to do."""

    job: str
    """Its bare id."""
    words: list[str]
    """What its transcript must be."""
    seconds: float
    """How long the caller had to insist."""


class Callers:
    """Callers of several ingests, in turn. Use as an async context manager.

    Args:
        addresses: Where the ingests are.
        vocabulary: Gives out the words of recordings.
    """

    def __init__(self, addresses: Sequence[str], vocabulary: Vocabulary) -> None:
        self._addresses = addresses
        self._vocabulary = vocabulary
        self._resources = AsyncExitStack()
        self._clients: itertools.cycle[AsyncClient] = itertools.cycle(())
        self._places = asyncio.Semaphore(IN_FLIGHT_MAX)
        self.accepted: list[Accepted] = []
        self.given_up = 0
        """Callers who were never taken."""
        self.errors: Counter[str] = Counter()
        """What callers were told before they were taken."""

    async def __aenter__(self) -> Self:
        clients = [await self._resources.enter_async_context(AsyncClient(address)) for address in self._addresses]
        self._clients = itertools.cycle(clients)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    async def call_until(self, stop: asyncio.Event, *, per_second: float) -> None:
        """Have callers come at a steady pace until `stop`, and wait until each is taken or gives up.

        Every other one sends its recording as an upload first.
        """
        async with asyncio.TaskGroup() as tasks:
            for index in itertools.count():
                if stop.is_set():
                    return
                await self._places.acquire()
                task = tasks.create_task(self.submit(as_upload=index % 2 == 1), name="caller")
                task.add_done_callback(lambda _: self._places.release())
                await asyncio.sleep(1 / per_second)

    async def call_times(self, count: int, *, at_once: int, as_upload: bool) -> None:
        """Have this many callers come, so many at a time."""
        waiting = iter(range(count))

        async def one_after_the_other() -> None:
            for _ in waiting:
                await self.submit(as_upload=as_upload)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(one_after_the_other(), name="caller")

    async def submit(self, *, as_upload: bool) -> None:
        """Be one caller."""
        spoken = self._vocabulary.take(WORDS_A_JOB)
        recording, client, request_id = words.wav(spoken), next(self._clients), str(uuid.uuid4())
        begun = time.monotonic()
        try:
            if as_upload:
                upload = await self._insist(lambda: client.upload(recording, request_id=request_id))
                job = await self._insist(lambda: client.submit(upload, request_id=request_id))
            else:
                job = await self._insist(lambda: client.submit(recording, request_id=request_id))
        except TiroError:  # counted
            self.given_up += 1
            return
        job_id = job.name.removeprefix("transcriptions/")
        self.accepted.append(Accepted(job_id, words.text(spoken), time.monotonic() - begun))

    async def transcript_of(self, accepted: Accepted) -> list[str]:
        """The words of a job that has succeeded."""
        transcript = await next(self._clients).get_transcript(accepted.job)
        return transcript.text.split()

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T:
        for _ in range(TRIES_MAX - 1):
            try:
                return await call()
            except TiroError as error:
                self.errors[label(error)] += 1
            await asyncio.sleep(WAIT_SECONDS)
        return await call()
