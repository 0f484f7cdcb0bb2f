"""Callers that submit jobs: each retries with one `request_id` until its job is accepted. Errors are counted."""

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
"""Limit of a caller's tries. The client library retries for 30 s within each."""
WAIT_SECONDS = 0.5
IN_FLIGHT_MAX = 200
"""Limit of callers under way. Later ones wait."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job that was accepted."""

    job: str
    """Its bare id."""
    words: list[str]
    """The words of its recording, and so of its transcript."""
    seconds: float
    """From the first try to the acceptance."""


class Callers:
    """Callers of several ingest processes, in turn. Use as an async context manager.

    Args:
        addresses: Addresses of the ingest processes.
        vocabulary: Issues the words of recordings.
    """

    def __init__(self, addresses: Sequence[str], vocabulary: Vocabulary) -> None:
        self._addresses = addresses
        self._vocabulary = vocabulary
        self._resources = AsyncExitStack()
        self._clients: itertools.cycle[AsyncClient] = itertools.cycle(())
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self.accepted: list[Accepted] = []
        self.given_up = 0
        """Callers whose job was not accepted."""
        self.errors: Counter[str] = Counter()
        """Errors before the acceptance, by label."""

    async def __aenter__(self) -> Self:
        clients = [await self._resources.enter_async_context(AsyncClient(address)) for address in self._addresses]
        self._clients = itertools.cycle(clients)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    async def call_until(self, stop: asyncio.Event, *, per_second: float) -> None:
        """Start callers at a steady rate until `stop`, and wait for all of them.

        Every other one sends its recording as an upload first.
        """
        async with asyncio.TaskGroup() as tasks:
            for index in itertools.count():
                if stop.is_set():
                    return
                await self._slots.acquire()
                task = tasks.create_task(self.submit(as_upload=index % 2 == 1), name="caller")
                task.add_done_callback(lambda _: self._slots.release())
                await asyncio.sleep(1 / per_second)

    async def call_times(self, count: int, *, at_once: int, as_upload: bool) -> None:
        """Run `count` callers, `at_once` of them at a time."""
        waiting = iter(range(count))

        async def call_in_turn() -> None:
            for _ in waiting:
                await self.submit(as_upload=as_upload)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(call_in_turn(), name="caller")

    async def submit(self, *, as_upload: bool) -> None:
        """Run one caller."""
        spoken = self._vocabulary.take(WORDS_A_JOB)
        recording, client, request_id = words.wav(spoken), next(self._clients), str(uuid.uuid4())
        begun = time.monotonic()
        try:
            if as_upload:
                upload = await self._retry(lambda: client.upload(recording, request_id=request_id))
                job = await self._retry(lambda: client.submit(upload, request_id=request_id))
            else:
                job = await self._retry(lambda: client.submit(recording, request_id=request_id))
        except TiroError:  # the last of its errors; those before are counted
            self.given_up += 1
            return
        job_id = job.name.removeprefix("transcriptions/")
        self.accepted.append(Accepted(job_id, words.text(spoken), time.monotonic() - begun))

    async def transcript_of(self, accepted: Accepted) -> list[str]:
        """The words of a job that has succeeded."""
        transcript = await next(self._clients).get_transcript(accepted.job)
        return transcript.text.split()

    async def _retry(self, call: Callable[[], Awaitable[T]]) -> T:
        for _ in range(TRIES_MAX - 1):
            try:
                return await call()
            except TiroError as error:
                self.errors[label(error)] += 1
            await asyncio.sleep(WAIT_SECONDS)
        return await call()
