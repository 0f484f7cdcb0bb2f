"""Usage records of audio that is sent to clouds, on a real NATS server."""

import asyncio
from typing import NoReturn

import pytest

from tiro.events.v1.usage_pb2 import UsageRecord
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.records import RecordStore
from tiro_core.messaging.subjects import usage
from tiro_core.routing.usage import UsageCounter, list_usage, open_usage_mirror, today
from tiro_core.settings import CoreSettings


async def test_concurrent_additions_are_all_counted(bus: Bus, core_settings: CoreSettings, tenant: str) -> None:
    """Concurrent additions over two connections, starting without a record, are all counted."""
    async with open_bus(core_settings, "other") as other:
        counters = [UsageCounter(bus), UsageCounter(other)]
        await asyncio.gather(*(counters[number % 2].add(tenant, "cloud", 0.5) for number in range(40)))
    (record,) = await list_usage(bus, tenant=tenant)
    assert (record.tenant, record.engine, record.day, record.seconds_sent) == (tenant, "cloud", today(), 20.0)


async def test_a_count_that_an_operator_has_deleted(bus: Bus, tenant: str) -> None:
    """A count that was deleted begins again at zero, before the marker of its deletion expires."""
    counter = UsageCounter(bus)
    await counter.add(tenant, "outside", 1.0)
    await RecordStore(bus, topology.USAGE_BUCKET, UsageRecord).delete(usage(tenant, "outside", today()))
    async with asyncio.timeout(10):
        await counter.add(tenant, "outside", 0.5)
    (record,) = await list_usage(bus, tenant=tenant)
    assert record.seconds_sent == 0.5


async def test_others_that_are_always_faster(bus: Bus, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An addition that other writers always precede ends with an error, for its caller to keep the seconds."""

    async def refuse(*_: object, **__: object) -> NoReturn:
        raise Conflict("another writer was faster")

    monkeypatch.setattr("tiro_core.messaging.records.publish_expecting", refuse)
    async with asyncio.timeout(10):
        with pytest.raises(Conflict):
            await UsageCounter(bus).add(tenant, "outside", 1.0)
    assert await list_usage(bus, tenant=tenant) == []


async def test_a_mirror_sums_the_requested_engines(bus: Bus, tenant: str) -> None:
    """A mirror returns today's sum of the requested engines of a tenant."""
    counter = UsageCounter(bus)
    await counter.add(tenant, "one", 1.0)
    await counter.add(tenant, "two", 2.0)
    await counter.add(tenant, "three", 4.0)
    async with open_usage_mirror(bus) as mirror:
        assert mirror.seconds_today(tenant, ["one", "two", "none"]) == 3.0
        assert mirror.seconds_today(f"{tenant}-b", ["one"]) == 0.0
