"""Policies over two engines, one here and one a cloud: whom a request gets, and who goes on when an engine fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.e2e.speech import wav
from tests.e2e.test_live import paced
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
HERE, CLOUD = "fake", "amazon-transcribe"
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
    """The cloud."""
    with running_transcribe(tmp_path_factory.mktemp("amazon")) as server:
        yield server


@pytest.fixture(scope="module")
def shared_stack(amazon: TranscribeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of Tiro, with a worker of each engine: the first has the fake one."""
    folder = tmp_path_factory.mktemp("stack")
    rules = folder / "routing.toml"
    rules.write_text(RULES, encoding="utf-8")
    settings = {**engine_environment(amazon), "TIRO_ENGINE": HERE, "TIRO_ROUTING": str(rules)}
    settings["TIRO_DEFAULT_ENGINE"] = "local-first"
    with running_stack(folder, settings, more=[{"TIRO_ENGINE": CLOUD}]) as running:
        yield running


@pytest.fixture
def stack(shared_stack: Stack, kept_processes: list[int]) -> Iterator[Stack]:
    """The same for every test. What one of them kills or stops is started again."""
    yield shared_stack
    kept_processes += shared_stack.repair()


@pytest.fixture(autouse=True)
def _healthy(amazon: TranscribeServer) -> None:
    """Let the cloud be as it should."""
    amazon.default = Script()


def speech() -> NDArray[np.int16]:
    """Word markers in four utterances."""
    pause = np.zeros(RATE, dtype=np.int16)
    pieces = [piece for first in range(1, 49, 12) for piece in (encode(range(first, first + 12)), pause)]
    return np.concatenate(pieces)


async def live(
    stack: Stack, policy: str, after_finals: Callable[[], Awaitable[object]] | None = None, language: str = "en"
) -> list[LiveEvent]:
    """Speak at natural pace, do something once there is a final, and return what is told."""
    told: list[LiveEvent] = []
    async with AsyncClient(stack.address, streaming_address=stack.streaming_address) as client:
        async for event in client.stream(paced(speech()), sample_rate=RATE, language=language, engine=policy):
            told.append(event)
            if isinstance(event, Final) and after_finals is not None:
                await after_finals()
                after_finals = None
    return told


def words_of(events: list[LiveEvent]) -> list[str]:
    """The words of all finals."""
    finals = [event for event in events if isinstance(event, Final)]
    return [word for event in finals for word in event.segment.text.replace(".", " ").split()]


def engines_of(events: list[LiveEvent]) -> list[str]:
    """Who served a session, one after the other."""
    return [event.engine for event in events if isinstance(event, SessionStarted | EngineChanged)]


def check_moved(events: list[LiveEvent], engines: list[str]) -> None:
    """Every word is there once, in contiguous events, and the change was told once."""
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
    """The cloud is cut off in mid-word, and away after that: the engine here goes on at the last final."""
    amazon.plan(Script(cut_after=7.0))
    amazon.default = Script(refuse=service_unavailable())
    check_moved(await live(stack, "cloud-first"), [CLOUD, HERE])


@pytest.mark.parametrize("end", [ServiceProcess.kill, ServiceProcess.stop], ids=["killed", "stopped"])
async def test_a_session_moves_when_its_workers_are_gone(stack: Stack, end: Callable[[ServiceProcess], object]) -> None:
    """The only worker of its engine ends in mid-sentence: the cloud goes on, without a word from the client."""
    events = await live(stack, "local-first", lambda: asyncio.to_thread(end, stack.transcriber))
    check_moved(events, [HERE, CLOUD])


async def test_a_session_that_the_cloud_refuses_moves_at_once(stack: Stack, amazon: TranscribeServer) -> None:
    """Nothing is heard of the refusal but the change."""
    amazon.default = Script(refuse=access_denied())
    events = await live(stack, "cloud-first")
    assert engines_of(events) == [CLOUD, HERE]
    assert words_of(events) == WORDS


async def test_a_session_without_a_policy_does_not_move(stack: Stack, amazon: TranscribeServer) -> None:
    """Who names an engine gets that one, or an error."""
    amazon.default = Script(refuse=access_denied())
    with pytest.raises(TiroError) as failed:
        await live(stack, CLOUD)
    assert failed.value.reason == "ENGINE_REFUSED"


@pytest.mark.parametrize(
    ("policy", "language", "engine"),
    [
        ("", "en", HERE),
        ("local-first", "en", HERE),
        ("cloud-first", "en", CLOUD),
        ("by-language", "en", HERE),
        ("by-language", "de", CLOUD),
    ],
)
async def test_a_job_goes_where_the_policy_says(
    client: AsyncClient, recording: bytes, policy: str, language: str, engine: str
) -> None:
    """The first route that can and may serve it. A policy can be the deployment's default."""
    job = await client.wait(await client.submit(recording, engine=policy, language=language))
    assert job.engine == engine


async def test_a_request_that_no_route_serves_is_refused(client: AsyncClient, recording: bytes) -> None:
    """The error says of each route why not."""
    with pytest.raises(TiroError, match=r"fake: .* for en alone; amazon-transcribe: .* for de, fr alone") as refused:
        await client.submit(recording, engine="by-language", language="es")
    assert refused.value.reason == "NO_ROUTE"


async def test_a_shadow_hears_the_same(stack: Stack, client: AsyncClient, recording: bytes) -> None:
    """The other engine hears the recording as well; their difference is told in the log, and nothing is left of it."""
    job = await client.wait(await client.submit(recording, engine="trial", language="en"))
    assert job.engine == HERE
    job_id = job.name.removeprefix("transcriptions/")
    compared = await asyncio.to_thread(stack.ingest.wait_for, "shadow_compared", of=job_id)
    assert (compared["engine"], compared["shadow_engine"]) == (HERE, CLOUD)
    assert (compared["words"], compared["shadow_words"], compared["edits"]) == (6, 6, 0)
    await asyncio.to_thread(stack.ingest.wait_for, "job_removed", job=f"shadow-{job_id}")
    known = [one.name async for one in client.list()]
    assert job.name in known
    assert not [name for name in known if "shadow" in name]


@pytest.mark.parametrize("keep", [False, True], ids=["its audio goes with it", "its audio is the caller's"])
async def test_a_shadow_hears_a_live_session(stack: Stack, client: AsyncClient, *, keep: bool) -> None:
    """Once it is over, and its finals are compared. A recording that the caller keeps stays."""
    session, upload = "", ""
    async for event in client.stream(
        paced(speech(), speed=4), sample_rate=RATE, language="en", engine="trial", keep_recording=keep
    ):
        if isinstance(event, SessionStarted):
            session = event.session_id
        if isinstance(event, SessionEnded):
            upload = event.upload
    compared = await asyncio.to_thread(stack.ingest.wait_for, "shadow_compared", of=session)
    assert (compared["engine"], compared["shadow_engine"], compared["policy"]) == (HERE, CLOUD, "trial")
    assert (compared["words"], compared["shadow_words"], compared["edits"]) == (48, 48, 0)
    await asyncio.to_thread(stack.ingest.wait_for, "job_removed", job=f"shadow-{session}")
    assert upload == (f"uploads/{session}" if keep else "")
    if keep:
        job = await client.wait(await client.submit(upload, engine=HERE, language="en"))
        assert job.audio_seconds == pytest.approx(len(speech()) / RATE)


async def test_a_deleted_job_takes_its_shadow_along(
    stack: Stack, client: AsyncClient, amazon: TranscribeServer, recording: bytes
) -> None:
    """Nothing of the recording is left, also where the other engine has not finished with it."""
    amazon.default = Script(refuse=limit_exceeded())
    job = await client.wait(await client.submit(recording, engine="trial", language="en"))
    job_id = job.name.removeprefix("transcriptions/")
    await asyncio.to_thread(stack.ingest.wait_for, "shadow_begun", of=job_id)
    await client.delete(job)
    await asyncio.to_thread(stack.ingest.wait_for, "job_removed", job=f"shadow-{job_id}")


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[AsyncClient]:
    """Give a client."""
    async with AsyncClient(stack.address, streaming_address=stack.streaming_address) as client:
        yield client


@pytest.fixture
def recording() -> bytes:
    """Give a short recording."""
    return wav(encode(range(1, 7)))
