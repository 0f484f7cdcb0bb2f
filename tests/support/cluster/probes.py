"""Probes: small operations, tried at a fixed rate without retries, to measure outages."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.support.cluster import words
from tests.support.cluster.errors import label
from tests.support.cluster.words import Vocabulary
from tiro.transcription.v1.transcription_service_pb2 import GetTranscriptionRequest
from tiro.transcription.v1.transcription_service_pb2_grpc import TranscriptionServiceStub
from tiro_client import AsyncClient, Final
from tiro_client.calls.error_details import translated
from tiro_client.errors import TiroError, Unavailable
from tiro_engines.interface import SAMPLE_RATE

CALL_EVERY_SECONDS = 0.25
CALL_SECONDS_MAX = 2.0
"""Deadline of a call. Healthy ones take milliseconds."""
SESSION_EVERY_SECONDS = 1.0
SESSION_SECONDS_MAX = 10.0
"""Deadline of a session of one word. Healthy ones take 1 s."""
IN_FLIGHT_MAX = 12
"""Limit of tries of one probe under way. A try does not wait for the one before it."""


@dataclass(frozen=True, slots=True)
class Try:
    """One try of a probe."""

    begun: float
    ended: float
    error: str
    """Label of its error. Empty if it succeeded."""


class Probe:
    """One probe.

    Args:
        name: Its name in figures.
        attempt: The operation. It raises `TiroError` or `TimeoutError` when it fails.
        every_seconds: Time between the starts of two tries.
    """

    def __init__(self, name: str, attempt: Callable[[], Awaitable[None]], every_seconds: float) -> None:
        self.name = name
        self._attempt = attempt
        self._every_seconds = every_seconds
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self.tries: list[Try] = []
        """Completed tries."""

    async def run_until(self, stop: asyncio.Event) -> None:
        """Try until `stop`, and wait for all tries."""
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                await self._slots.acquire()
                task = tasks.create_task(self._try(), name=f"probe-{self.name}")
                task.add_done_callback(lambda _: self._slots.release())
                await asyncio.sleep(self._every_seconds)

    @property
    def errors(self) -> Counter[str]:
        """Errors by label."""
        return Counter(each.error for each in self.tries if each.error)

    def outages(self, since: float, until: float) -> list[tuple[float, float]]:
        """The intervals between successes within a span. Monotonic seconds."""
        worked = [each.ended for each in self.ended_between(since, until) if not each.error]
        return list(itertools.pairwise([since, *worked, until]))

    def ended_between(self, since: float, until: float) -> list[Try]:
        """Tries that ended within a span, in order of their ends."""
        return sorted((each for each in self.tries if since < each.ended < until), key=lambda each: each.ended)

    async def _try(self) -> None:
        begun, error = time.monotonic(), ""
        try:
            await self._attempt()
        except (TiroError, TimeoutError) as failure:
            error = label(failure)
        self.tries.append(Try(begun, time.monotonic(), error))


def asking_health(name: str, channel: grpc.aio.Channel) -> Probe:
    """The health check of a process."""
    stub: Any = HealthStub(channel)  # its types have no methods for asyncio

    async def attempt() -> None:
        with translated():
            answer = await stub.Check(HealthCheckRequest(), timeout=CALL_SECONDS_MAX)
        if answer.status != HealthCheckResponse.SERVING:
            raise Unavailable("the health check failed", reason="NOT_SERVING", code=grpc.StatusCode.UNAVAILABLE)

    return Probe(name, attempt, CALL_EVERY_SECONDS)


def reading(name: str, channel: grpc.aio.Channel, job: str) -> Probe:
    """A plain `GetTranscription` of an existing job."""
    stub = TranscriptionServiceStub(channel)
    request = GetTranscriptionRequest(name=f"transcriptions/{job}")

    async def attempt() -> None:
        with translated():
            await stub.GetTranscription(request, timeout=CALL_SECONDS_MAX)

    return Probe(name, attempt, CALL_EVERY_SECONDS)


def opening(name: str, client: AsyncClient, vocabulary: Vocabulary) -> Probe:
    """A new live session of one word, to its end."""

    async def attempt() -> None:
        spoken = vocabulary.take(1)

        async def audio() -> AsyncIterator[bytes]:
            yield words.pcm(spoken)

        async with asyncio.timeout(SESSION_SECONDS_MAX):
            final: Sequence[str] = []
            async for event in client.stream(audio(), sample_rate=SAMPLE_RATE, engine="fake", resume_seconds=0):
                if isinstance(event, Final):
                    final = [*final, *event.segment.text.split()]
        if final != words.text(spoken):
            raise TimeoutError("the session has ended without its word")

    return Probe(name, attempt, SESSION_EVERY_SECONDS)
