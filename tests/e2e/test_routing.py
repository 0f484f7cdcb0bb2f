"""Routing policies over a local and a cloud engine: the choice of an engine, and failover."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.e2e.live_audio import paced
from tests.e2e.speech import wav
from tests.support.processes import ServiceProcess
from tests.support.stack import Stack, running_stack
from tests.support.transcribe_service.account import engine_environment
from tests.support.transcribe_service.failures import access_denied, limit_exceeded, service_unavailable
from tests.support.transcribe_service.script import Script
from tests.support.transcribe_service.server import TranscribeServer, running_transcribe
from tiro_client import (
    AsyncClient,
    EngineChanged,
    Final,
    LiveEvent,
    SessionEnded,
    SessionStarted,
    TiroError,
    WorkerChanged,
)
from tiro_engines.fake.markers import encode

pytestmark = pytest.mark.xdist_group("routing stack")

RATE = 16_000
LOCAL, CLOUD = "fake", "amazon-transcribe"
WORDS = [f"w{number}" for number in range(1, 49)]
RULES = """
[[tenants]]
name = "default"
clouds = ["amazon-transcribe"]

[[policies]]
name = "local-first"
routes = [{ engine = "fake" }, { engine = "amazon-transcribe" }]

[[policies]]
name = "cloud-first"
routes = [{ engine = "amazon-transcribe" }, { engine = "fake" }]

[[policies]]
name = "by-language"
routes = [{ engine = "fake", languages = ["en"] }, { engine = "amazon-transcribe", languages = ["de", "fr"] }]

[[policies]]
name = "trial"
routes = [{ engine = "fake" }]
shadow = { engine = "amazon-transcribe" }
"""


@pytest.fixture(scope="module")
def amazon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TranscribeServer]:
    """The cloud engine's server."""
    with running_transcribe(tmp_path_factory.mktemp("amazon")) as server:
        yield server


@pytest.fixture(scope="module")
def shared_stack(amazon: TranscribeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of Tiro, with a worker of each engine. The stack's first transcriber has the local one."""
    folder = tmp_path_factory.mktemp("stack")
    rules = folder / "routing.toml"
    rules.write_text(RULES, encoding="utf-8")
    settings = {**engine_environment(amazon), "TIRO_ENGINE": LOCAL, "TIRO_ROUTING": str(rules)}
    settings["TIRO_DEFAULT_ENGINE"] = "local-first"
    with running_stack(folder, settings, more=[{"TIRO_ENGINE": CLOUD}]) as running:
        yield running


@pytest.fixture
def stack(shared_stack: Stack, kept_processes: list[int]) -> Iterator[Stack]:
    """The shared stack. Processes that a test ends are restarted after it."""
    yield shared_stack
    kept_processes += shared_stack.repair()


@pytest.fixture(autouse=True)
def _healthy(amazon: TranscribeServer) -> None:
    """Remove the faults of the cloud engine."""
    amazon.default = Script()


def speech() -> NDArray[np.int16]:
    """Word markers in four utterances."""
    pause = np.zeros(RATE, dtype=np.int16)
    pieces = [piece for first in range(1, 49, 12) for piece in (encode(range(first, first + 12)), pause)]
    return np.concatenate(pieces)


async def live(
    stack: Stack, policy: str, after_finals: Callable[[], Awaitable[object]] | None = None, language: str = "en"
) -> list[LiveEvent]:
    """Stream the speech in real time, call `after_finals` once after the first final, and return all events."""
    events: list[LiveEvent] = []
    async with AsyncClient(stack.address, streaming_address=stack.streaming_address) as client:
        async for event in client.stream(paced(speech()), sample_rate=RATE, language=language, engine=policy):
            events.append(event)
            if isinstance(event, Final) and after_finals is not None:
                await after_finals()
                after_finals = None
    return events


def words_of(events: list[LiveEvent]) -> list[str]:
    """The words of all finals."""
    finals = [event for event in events if isinstance(event, Final)]
    return [word for event in finals for word in event.segment.text.replace(".", " ").split()]


def engines_of(events: list[LiveEvent]) -> list[str]:
    """Engines of a session, in order."""
    return [event.engine for event in events if isinstance(event, SessionStarted | EngineChanged)]


def check_moved(events: list[LiveEvent], engines: list[str]) -> None:
    """Check that a session has every word once, in contiguous events, and changed its engine once."""
    assert engines_of(events) == engines
    assert words_of(events) == WORDS
    assert not any(isinstance(event, WorkerChanged) for event in events)
    assert isinstance(events[-1], SessionEnded)
    recorded = [event.sequence for event in events if event.sequence]
    assert recorded == list(range(1, len(recorded) + 1))
    finals = [event.segment for event in events if isinstance(event, Final)]
    assert all(first.end_seconds <= second.start_seconds for first, second in pairwise(finals))
    change = next(event for event in events if isinstance(event, EngineChanged))
    before = [one.segment for one in events[: events.index(change)] if isinstance(one, Final)]
    assert before
    assert change.offset_seconds >= before[-1].end_seconds


async def test_a_session_moves_when_the_cloud_fails(stack: Stack, amazon: TranscribeServer) -> None:
    """The cloud cuts the stream in mid-word and then refuses: the local engine continues from the last final."""
    amazon.plan(Script(cut_after=7.0))
    amazon.default = Script(refuse=service_unavailable())
    check_moved(await live(stack, "cloud-first"), [CLOUD, LOCAL])


@pytest.mark.parametrize("end", [ServiceProcess.kill, ServiceProcess.stop], ids=["killed", "stopped"])
async def test_a_session_moves_when_its_only_worker_ends(stack: Stack, end: Callable[[ServiceProcess], object]) -> None:
    """The only local worker ends in mid-sentence: the cloud engine continues, without a call by the client."""
    events = await live(stack, "local-first", lambda: asyncio.to_thread(end, stack.transcriber))
    check_moved(events, [LOCAL, CLOUD])


async def test_a_session_that_the_cloud_refuses_moves_at_once(stack: Stack, amazon: TranscribeServer) -> None:
    """The client gets an EngineChanged, and no error."""
    amazon.default = Script(refuse=access_denied())
    events = await live(stack, "cloud-first")
    assert engines_of(events) == [CLOUD, LOCAL]
    assert words_of(events) == WORDS


async def test_a_session_without_a_policy_does_not_move(stack: Stack, amazon: TranscribeServer) -> None:
    """A session that names an engine gets that one, or an error."""
    amazon.default = Script(refuse=access_denied())
    with pytest.raises(TiroError) as failed:
        await live(stack, CLOUD)
    assert failed.value.reason == "ENGINE_REFUSED"


@pytest.mark.parametrize(
    ("policy", "language", "engine"),
    [
        ("", "en", LOCAL),
        ("local-first", "en", LOCAL),
        ("cloud-first", "en", CLOUD),
        ("by-language", "en", LOCAL),
        ("by-language", "de", CLOUD),
    ],
)
async def test_a_policy_selects_the_engine_of_a_job(
    client: AsyncClient, recording: bytes, policy: str, language: str, engine: str
) -> None:
    """A policy selects the first route that can and may serve a job. The deployment's default may be a policy."""
    job = await client.wait(await client.submit(recording, engine=policy, language=language))
    assert job.engine == engine


async def test_a_request_that_no_route_serves_is_refused(client: AsyncClient, recording: bytes) -> None:
    """The error has the reason of each route."""
    with pytest.raises(TiroError, match=r"fake: .* for en alone; amazon-transcribe: .* for de, fr alone") as refused:
        await client.submit(recording, engine="by-language", language="es")
    assert refused.value.reason == "NO_ROUTE"


async def test_a_shadow_transcribes_the_same_recording(stack: Stack, client: AsyncClient, recording: bytes) -> None:
    """The shadow engine's transcript is compared in the log. Its job is removed and never listed."""
    job = await client.wait(await client.submit(recording, engine="trial", language="en"))
    assert job.engine == LOCAL
    job_id = job.name.removeprefix("transcriptions/")
    compared = await asyncio.to_thread(stack.ingest.wait_for, "shadow_compared", of=job_id)
    assert (compared["engine"], compared["shadow_engine"]) == (LOCAL, CLOUD)
    assert (compared["words"], compared["shadow_words"], compared["edits"]) == (6, 6, 0)
    await asyncio.to_thread(stack.ingest.wait_for, "job_removed", job=f"shadow-{job_id}")
    known = [one.name async for one in client.list()]
    assert job.name in known
    assert not [name for name in known if "shadow" in name]


@pytest.mark.parametrize("keep", [False, True], ids=["audio removed", "audio kept"])
async def test_a_shadow_transcribes_a_live_session(stack: Stack, client: AsyncClient, *, keep: bool) -> None:
    """The shadow's finals are compared after the session's end. A recording that the caller keeps stays."""
    session, upload = "", ""
    async for event in client.stream(
        paced(speech(), speed=4), sample_rate=RATE, language="en", engine="trial", keep_recording=keep
    ):
        if isinstance(event, SessionStarted):
            session = event.session_id
        if isinstance(event, SessionEnded):
            upload = event.upload
    compared = await asyncio.to_thread(stack.ingest.wait_for, "shadow_compared", of=session)
    assert (compared["engine"], compared["shadow_engine"], compared["policy"]) == (LOCAL, CLOUD, "trial")
    assert (compared["words"], compared["shadow_words"], compared["edits"]) == (48, 48, 0)
    await asyncio.to_thread(stack.ingest.wait_for, "job_removed", job=f"shadow-{session}")
    assert upload == (f"uploads/{session}" if keep else "")
    if keep:
        job = await client.wait(await client.submit(upload, engine=LOCAL, language="en"))
        assert job.audio_seconds == pytest.approx(len(speech()) / RATE)


async def test_deletion_of_a_job_removes_its_shadow(
    stack: Stack, client: AsyncClient, amazon: TranscribeServer, recording: bytes
) -> None:
    """The shadow's job is removed, even if it has not ended."""
    amazon.default = Script(refuse=limit_exceeded())
    job = await client.wait(await client.submit(recording, engine="trial", language="en"))
    job_id = job.name.removeprefix("transcriptions/")
    await asyncio.to_thread(stack.ingest.wait_for, "shadow_begun", of=job_id)
    await client.delete(job)
    await asyncio.to_thread(stack.ingest.wait_for, "job_removed", job=f"shadow-{job_id}")


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[AsyncClient]:
    """A client of the stack."""
    async with AsyncClient(stack.address, streaming_address=stack.streaming_address) as client:
        yield client


@pytest.fixture
def recording() -> bytes:
    """A short recording."""
    return wav(encode(range(1, 7)))
