"""Errors of messaging for answers, and missing answers, of NATS."""

from pathlib import Path

import pytest

from tests.support.nats import running_nats
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.errors import BusUnavailable, Limit, MessagingError, NotFound, Rejected, StreamFull
from tiro_core.messaging.operations import last_message, purge, subjects_in
from tiro_core.messaging.publishing import publish
from tiro_core.messaging.records import RecordStore
from tiro_core.server.background import keep_running
from tiro_core.settings import CoreSettings


async def test_a_server_without_jetstream_is_unavailable(tmp_path: Path) -> None:
    """While JetStream starts its requests have no responder: each kind of read raises BusUnavailable."""
    with running_nats(tmp_path, jetstream=False) as server:
        settings = CoreSettings.model_validate({"nats_url": server.url})
        async with open_bus(settings, "test") as bus:
            for from_any_replica in (True, False):
                with pytest.raises(BusUnavailable):
                    await last_message(bus, topology.BLOBS, "tiro.blob.a.0", from_any_replica=from_any_replica)
            with pytest.raises(BusUnavailable):
                await RecordStore(bus, topology.JOBS_BUCKET, WorkerRecord).get("a.b")
            with pytest.raises(BusUnavailable):
                await purge(bus, topology.TASKS, "tiro.task.>")


async def test_a_missing_message_is_not_found(bus: Bus, tenant: str) -> None:
    """A missing message raises NotFound, and a missing stream Rejected."""
    for from_any_replica in (True, False):
        with pytest.raises(NotFound):
            await last_message(bus, topology.BLOBS, f"tiro.blob.{tenant}.0", from_any_replica=from_any_replica)
    with pytest.raises(Rejected):
        await last_message(bus, "NO_SUCH_STREAM", "tiro.blob.a.0")
    with pytest.raises(Rejected):
        await publish(bus, f"tiro.event.{tenant}.job", b"", headers={"Nats-Expected-Stream": "ANOTHER"})


async def test_a_full_account_raises_stream_full(tmp_path: Path) -> None:
    """NATS's error for the account's limit differs from the stream's. Both raise StreamFull."""
    with running_nats(tmp_path, account_bytes_max=512 * 1024) as server:
        settings = CoreSettings.model_validate({"nats_url": server.url})
        async with open_bus(settings, "test") as bus:
            await topology.ensure_streams(bus, replicas=1)
            with pytest.raises(StreamFull) as full:
                for index in range(100):
                    await publish(bus, f"tiro.blob.a.{index}", bytes(64 * 1024))
            assert full.value.limit is Limit.BYTES


async def test_a_background_loop_continues_after_a_refused_write() -> None:
    """Refused writes do not end a background loop."""
    faults: list[MessagingError] = [StreamFull("full", Limit.BYTES), Rejected("no"), BusUnavailable("away")]

    async def run() -> None:
        if faults:
            raise faults.pop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tiro_core.server.background.RETRY_SECONDS", 0.01)
        await keep_running("test", run)
    assert not faults


async def test_matching_subjects_are_listed(bus: Bus, tenant: str) -> None:
    """Each matching subject is listed once."""
    expected = {f"tiro.event.{tenant}.{index}" for index in range(25)}
    for subject in expected:
        await publish(bus, subject, b"")
    found = [subject async for subject in subjects_in(bus, topology.JOB_EVENTS, f"tiro.event.{tenant}.*")]
    assert (len(found), set(found)) == (25, expected)
