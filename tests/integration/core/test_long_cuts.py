"""Watches of records after a disconnection that is longer than the lifetime of deletion markers."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nats import NatsServer, running_nats
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.messaging import topology
from tiro_core.messaging.connection import open_bus
from tiro_core.messaging.mirror import Mirror
from tiro_core.messaging.reading.contact import CREDIT_SECONDS_MAX, Contact
from tiro_core.messaging.records import CAUGHT_UP, RESTARTED, Change, RecordStore, Watch
from tiro_core.settings import CoreSettings
from tiro_ingest.jobs.follower import JobFollower


async def next_state(changes: Watch[WorkerRecord], keys: set[str]) -> object:
    """The next state of the watch. Keys of changes before it are added to `keys`."""
    async for change in changes:
        if not isinstance(change, Change):
            return change
        keys.add(change.key)
    raise AssertionError("a watch does not end")


@pytest.mark.filterwarnings("error")
async def test_a_watch_restarts_and_a_mirror_drops_deleted_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that was deleted meanwhile, without a marker, is not in the mirror any more."""
    monkeypatch.setattr("tiro_core.messaging.records.MARKER_SECONDS", 0.0)
    with running_nats(tmp_path) as server:
        settings = CoreSettings.model_validate({"nats_url": server.url})
        async with open_bus(settings, "test") as bus:
            await topology.ensure_streams(bus, replicas=1)
            store = RecordStore(bus, topology.WORKERS_BUCKET, WorkerRecord)
            for key in ("stays", "goes"):
                await store.put(key, WorkerRecord(worker_id=key))
            mirror: Mirror[WorkerRecord] = Mirror()
            async with store.watch(">") as changes, asyncio.TaskGroup() as tasks:
                following = tasks.create_task(mirror.follow(store))
                keys: set[str] = set()
                assert await next_state(changes, keys) is CAUGHT_UP
                await mirror.complete()
                assert mirror.get("goes") is not None
                await store.purge("goes")  # as if its marker had expired
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
                again: set[str] = set()
                assert await next_state(changes, set()) is RESTARTED
                assert await next_state(changes, again) is CAUGHT_UP
                assert (keys, again) == ({"stays", "goes"}, {"stays"})
                while mirror.get("goes") is not None:
                    await store.put("stays", WorkerRecord(worker_id="stays"))
                    await asyncio.sleep(0)
                following.cancel()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server of the test's own."""
    with running_nats(tmp_path) as server:
        yield server


async def test_the_follower_of_jobs_forgets(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its observers are notified of a job whose deletion it has missed."""
    monkeypatch.setattr("tiro_core.messaging.records.MARKER_SECONDS", 0.0)
    deleted: asyncio.Queue[str] = asyncio.Queue()

    class Observer:
        def on_change(self, key: str, record: TranscriptionRecord | None) -> None:
            if record is None:
                deleted.put_nowait(key)

    async with open_bus(CoreSettings.model_validate({"nats_url": server.url}), "test") as bus:
        await topology.ensure_streams(bus, replicas=1)
        store = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        for key in ("t.stays", "t.goes"):
            await store.put(key, TranscriptionRecord(tenant="t"))
        follower = JobFollower(bus, [Observer()])
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            following = tasks.create_task(follower.run())
            await follower.complete()
            await store.purge("t.goes")  # as if its marker had expired: the stream has no message of it
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            assert await deleted.get() == "t.goes"
            following.cancel()
        assert deleted.empty()


@pytest.mark.parametrize(
    ("clock_seconds", "is_restarted"),
    [
        pytest.param(0.0, True, id="suspended"),
        pytest.param(CREDIT_SECONDS_MAX, False, id="running"),
    ],
)
async def test_a_cut_is_as_long_as_the_server_says(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch, clock_seconds: float, is_restarted: bool
) -> None:
    """The clock of a host that was suspended did not run. While it runs, messages show that there is no cut."""
    monkeypatch.setattr("tiro_core.messaging.records.MARKER_SECONDS", 0.02)
    ticks = itertools.count()
    monkeypatch.setattr("tiro_core.messaging.reading.contact._now", lambda: clock_seconds * next(ticks))
    settings = CoreSettings.model_validate({"nats_url": server.url})
    async with open_bus(settings, "test") as bus:
        await topology.ensure_streams(bus, replicas=1)
        store = RecordStore(bus, topology.WORKERS_BUCKET, WorkerRecord)
        async with store.watch(">") as changes:
            assert await next_state(changes, set()) is CAUGHT_UP
            for index in range(20):
                await store.put(f"{index}", WorkerRecord())
                assert isinstance(await anext(changes), Change)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await store.put("after", WorkerRecord())
            after = await anext(changes)
            assert after is RESTARTED if is_restarted else isinstance(after, Change) and after.key == "after"


def test_a_process_that_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The heartbeats that it finds in its socket afterwards do not prove that it was connected all the time."""
    clock = iter([0.0, 1.0, 2.0, 4000.0, 4000.1])
    monkeypatch.setattr("tiro_core.messaging.reading.contact._now", lambda: next(clock))
    contact = Contact()
    assert contact.seconds_until(1000.0) < 0
    contact.answered(1000.0)
    for _ in range(4):
        contact.received()
    assert contact.seconds_until(5000.0) == pytest.approx(4000.0 - 2.0 - CREDIT_SECONDS_MAX - 0.1)
