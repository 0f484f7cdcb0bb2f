"""Probes: something small, asked for again and again without retries, to see for how long it does not work."""

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
"""How long a call may take. Healthy ones take milliseconds."""
SESSION_EVERY_SECONDS = 1.0
SESSION_SECONDS_MAX = 10.0
"""How long a session of one word may take, from opening it to its final. Healthy ones take a second."""
IN_FLIGHT_MAX = 12
"""Tries of one probe that are under way at once: the next one begins whether or not those before have ended."""


@dataclass(frozen=True, slots=True)
class Try:
    """One try of a probe."""

    begun: float
    ended: float
    error: str
    """Empty when it worked."""


class Probe:
    """One probe.

    Args:
        name: What it is called in figures.
        attempt: What it tries. It raises a `TiroError`, or a `TimeoutError`, when it does not work.
        every_seconds: How often.
    """

    def __init__(self, name: str, attempt: Callable[[], Awaitable[None]], every_seconds: float) -> None:
        self.name = name
        self._attempt = attempt
        self._every_seconds = every_seconds
        self._places = asyncio.Semaphore(IN_FLIGHT_MAX)
        self.tries: list[Try] = []
        """Those that have ended."""

    async def run_until(self, stop: asyncio.Event) -> None:
        """Try until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                await self._places.acquire()
                task = tasks.create_task(self._try(), name=f"probe-{self.name}")
                task.add_done_callback(lambda _: self._places.release())
                await asyncio.sleep(self._every_seconds)

    @property
    def errors(self) -> Counter[str]:
        """Why it did not work, each time."""
        return Counter(each.error for each in self.tries if each.error)

    def outages(self, since: float, until: float) -> list[tuple[float, float]]:
        """The parts of a span between tries that worked, most of them short. Monotonic seconds."""
        worked = [each.ended for each in self.ended_between(since, until) if not each.error]
        return list(itertools.pairwise([since, *worked, until]))

    def ended_between(self, since: float, until: float) -> list[Try]:
        """The tries that ended in a span, in that order."""
        return sorted((each for each in self.tries if since < each.ended < until), key=lambda each: each.ended)

    async def _try(self) -> None:
        begun, error = time.monotonic(), ""
        try:
            await self._attempt()
        except (TiroError, TimeoutError) as failure:
            error = label(failure)
        self.tries.append(Try(begun, time.monotonic(), error))


def asking_health(name: str, channel: grpc.aio.Channel) -> Probe:
    """Whether a process says that it can serve."""
    stub: Any = HealthStub(channel)  # its types have no methods for asyncio

    async def attempt() -> None:
        with translated():
            answer = await stub.Check(HealthCheckRequest(), timeout=CALL_SECONDS_MAX)
        if answer.status != HealthCheckResponse.SERVING:
            raise Unavailable("it says so", reason="NOT_SERVING", code=grpc.StatusCode.UNAVAILABLE)

    return Probe(name, attempt, CALL_EVERY_SECONDS)


def reading(name: str, channel: grpc.aio.Channel, job: str) -> Probe:
    """A plain `GetTranscription` of a job that is there."""
    stub = TranscriptionServiceStub(channel)
    request = GetTranscriptionRequest(name=f"transcriptions/{job}")

    async def attempt() -> None:
        with translated():
            await stub.GetTranscription(request, timeout=CALL_SECONDS_MAX)

    return Probe(name, attempt, CALL_EVERY_SECONDS)


def opening(name: str, client: AsyncClient, vocabulary: Vocabulary) -> Probe:
    """A new live session, from opening it to the final of its one word."""

    async def attempt() -> None:
        spoken = vocabulary.take(1)

        async def audio() -> AsyncIterator[bytes]:
            yield words.pcm(spoken)

        async with asyncio.timeout(SESSION_SECONDS_MAX):
            said: Sequence[str] = []
            async for event in client.stream(audio(), sample_rate=SAMPLE_RATE, engine="fake", resume_seconds=0):
                if isinstance(event, Final):
                    said = [*said, *event.segment.text.split()]
        if said != words.text(spoken):
            raise TimeoutError("the session ended without its word")

    return Probe(name, attempt, SESSION_EVERY_SECONDS)
