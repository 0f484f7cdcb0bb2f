"""`ListEngines`: engines of the catalogue and of live workers."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from google.type.money_pb2 import Money

from tests.integration.ingest.conftest import DEADLINE_SECONDS, Ingest, StartIngest, refused
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.transcription.v1.engine_pb2 import Engine
from tiro.transcription.v1.engine_service_pb2 import ListEnginesRequest, ListEnginesResponse
from tiro_core.ids import new_id
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore

CATALOGUE = """
default_engine = "{name}"
[[engines]]
name = "{name}"
default_model = "m"
price_per_minute = {{ amount = 0.024, currency = "USD" }}
[[engines.models]]
name = "m"
languages = ["fi", "en"]
capabilities = ["all", "language_detection", "word_time_offsets"]
[[engines.models]]
name = "l"
languages = ["en"]
capabilities = ["all"]
[capability_sets]
all = ["batch", "live", "hotwords", "initial_prompt", "temperature", "beam_size", "voice_activity_filter"]
"""
BATCH, LIVE = Engine.CAPABILITY_BATCH, Engine.CAPABILITY_LIVE
WORDS, DETECTION = Engine.CAPABILITY_WORD_TIME_OFFSETS, Engine.CAPABILITY_LANGUAGE_DETECTION
OPTIONS = (
    Engine.CAPABILITY_HOTWORDS,
    Engine.CAPABILITY_INITIAL_PROMPT,
    Engine.CAPABILITY_TEMPERATURE,
    Engine.CAPABILITY_BEAM_SIZE,
    Engine.CAPABILITY_VOICE_ACTIVITY_FILTER,
    Engine.CAPABILITY_REPLACEMENTS,
)


@pytest.fixture
def workers(bus: Bus) -> RecordStore[WorkerRecord]:
    """The records of live workers."""
    return RecordStore(bus, topology.WORKERS_BUCKET, WorkerRecord)


@pytest.fixture
async def own(start_ingest: StartIngest, tmp_path: Path, tenant: str) -> Ingest:
    """An ingest whose catalogue has one engine, with the name of the tenant."""
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(CATALOGUE.format(name=tenant))
    return await start_ingest(catalogue=catalogue, default_engine="")


def worker(engine: str, model: str, *, job_slots: int = 0, session_slots: int = 0) -> WorkerRecord:
    """A live worker."""
    return WorkerRecord(
        worker_id=new_id(),
        engine=engine,
        model=model,
        language_codes=["en"],
        capabilities=[*([BATCH] if job_slots else []), *([LIVE] if session_slots else []), WORDS],
        job_slots=job_slots,
        session_slots=session_slots,
        session_capacity=session_slots,
    )


async def page(ingest: Ingest, size: int = 0, token: str = "") -> ListEnginesResponse:
    """One page of the list."""
    request = ListEnginesRequest(page_size=size, page_token=token)
    response: ListEnginesResponse = await ingest.engines.ListEngines(request, **ingest.options)
    return response


async def engine_when(ingest: Ingest, name: str, holds: Callable[[Engine | None], bool]) -> Engine | None:
    """Wait until a condition holds for an engine as listed, None if it is not. Return it."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            found = {engine.name: engine for engine in (await page(ingest, 100)).engines}
            engine = found.get(f"engines/{name}")
            if holds(engine):
                return engine


async def test_an_engine_of_the_catalogue(own: Ingest, tenant: str) -> None:
    """An engine of the catalogue is listed with its models although it has no live worker."""
    engine = await engine_when(own, tenant, lambda engine: engine is not None)
    price = Money(currency_code="USD", nanos=24_000_000)
    models = [
        Engine.Model(
            name="m",
            language_codes=["en", "fi"],
            capabilities=[BATCH, LIVE, WORDS, DETECTION, *OPTIONS],
            price_per_minute=price,
        ),
        Engine.Model(name="l", language_codes=["en"], capabilities=[BATCH, LIVE, *OPTIONS], price_per_minute=price),
    ]
    assert engine == Engine(name=f"engines/{tenant}", taken_by_default=True, default_model="m", models=models)


async def test_live_workers_are_counted(own: Ingest, tenant: str, workers: RecordStore[WorkerRecord]) -> None:
    """Each live worker is counted at its model, with its free slots, until its record is deleted."""
    first = worker(tenant, "m", job_slots=4, session_slots=8)
    await workers.put(first.worker_id, first)
    engine = await engine_when(own, tenant, lambda engine: engine is not None and engine.worker_count == 1)
    assert engine is not None
    m, rest = engine.models
    assert (m.worker_count, m.free_job_slots, m.free_session_slots) == (1, 4, 8)
    assert (rest.worker_count, rest.free_job_slots, rest.free_session_slots) == (0, 0, 0)

    first.jobs, first.sessions = 3, 2
    await workers.put(first.worker_id, first)
    second = worker(tenant, "house", job_slots=1)
    await workers.put(second.worker_id, second)
    engine = await engine_when(own, tenant, lambda engine: engine is not None and engine.worker_count == 2)
    assert engine is not None
    assert [model.name for model in engine.models] == ["m", "l", "house"], "models of the catalogue come first"
    m, _, house = engine.models
    assert (m.free_job_slots, m.free_session_slots) == (1, 6)
    assert (list(house.capabilities), house.price_per_minute.nanos) == ([BATCH, WORDS], 24_000_000)

    for gone in (first, second):
        await workers.delete(gone.worker_id)
    engine = await engine_when(own, tenant, lambda engine: engine is not None and engine.worker_count == 0)
    assert engine is not None
    assert [(model.name, model.worker_count) for model in engine.models] == [("m", 0), ("l", 0)]


async def test_an_engine_of_a_worker_only(ingest: Ingest, tenant: str, workers: RecordStore[WorkerRecord]) -> None:
    """An engine that is not in the catalogue is listed while its worker is live, with that model as default."""
    record = worker(tenant, "large", session_slots=1)
    await workers.put(record.worker_id, record)
    engine = await engine_when(ingest, tenant, lambda engine: engine is not None)
    model = Engine.Model(
        name="large", language_codes=["en"], capabilities=[LIVE, WORDS], worker_count=1, free_session_slots=1
    )
    assert engine == Engine(name=f"engines/{tenant}", default_model="large", models=[model], worker_count=1)
    await workers.delete(record.worker_id)
    assert await engine_when(ingest, tenant, lambda engine: engine is None) is None


async def test_a_silent_worker_is_not_counted(
    own: Ingest, tenant: str, workers: RecordStore[WorkerRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose record was not renewed in time is not counted."""
    record = worker(tenant, "m", job_slots=1)
    await workers.put(record.worker_id, record)
    await engine_when(own, tenant, lambda engine: engine is not None and engine.worker_count == 1)
    # As if the time within which a worker must renew its record had passed.
    monkeypatch.setattr(topology, "WORKER_EXPIRY_SECONDS", 0.0)
    [engine] = [item for item in (await page(own, 100)).engines if item.name == f"engines/{tenant}"]
    assert engine.worker_count == 0


async def test_the_defaults_of_the_deployment_are_listed(start_ingest: StartIngest) -> None:
    """Default engine and model of the deployment override those of the catalogue."""
    ingest = await start_ingest(default_engine="faster-whisper", default_model="tiny.en")
    found = {engine.name: engine for engine in (await page(ingest, 100)).engines}
    whisper, fake = found["engines/faster-whisper"], found["engines/fake"]
    assert (whisper.taken_by_default, whisper.default_model) == (True, "tiny.en")
    assert (fake.taken_by_default, fake.default_model) == (False, "markers")
    base = next(model for model in whisper.models if model.name == "base")
    assert Engine.CAPABILITY_TRANSLATION in base.capabilities
    assert not base.HasField("price_per_minute")


async def test_engines_are_listed_by_name_in_pages(
    ingest: Ingest, tenant: str, workers: RecordStore[WorkerRecord]
) -> None:
    """Every engine is on one page, even if the last one of a page is removed before the next page is read."""
    names = [f"{tenant}-{number}" for number in range(4)]
    records = {name: worker(name, "m", job_slots=1) for name in names}
    for record in records.values():
        await workers.put(record.worker_id, record)
    await engine_when(ingest, names[-1], lambda engine: engine is not None)
    seen: list[str] = []
    token = ""
    while True:
        response = await page(ingest, 1, token)
        [engine] = response.engines
        seen.append(engine.name.removeprefix("engines/"))
        token = response.next_page_token
        if not token:
            break
        if seen[-1] == names[1]:
            await workers.delete(records[names[1]].worker_id)
            await engine_when(ingest, names[1], lambda engine: engine is None)
    assert seen == sorted(seen)
    assert [name for name in seen if name.startswith(tenant)] == names


async def test_invalid_requests_are_refused(ingest: Ingest) -> None:
    """A page token of another list and a too large page size are refused."""
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN"):
        await page(ingest, token="AAAA")  # noqa: S106 - no password
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await page(ingest, 101)


async def test_every_tenant_may_list_engines(ingest: Ingest, stranger: Ingest) -> None:
    """Any tenant's key is accepted, and a call without a key is refused."""
    assert (await page(stranger, 100)).engines
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "API_KEY_MISSING"):
        await ingest.engines.ListEngines(ListEnginesRequest(), timeout=DEADLINE_SECONDS)
