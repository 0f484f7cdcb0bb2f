"""The seconds of audio that were sent to cloud engines, by tenant, engine and day. Workers count them."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from tiro.events.v1.usage_pb2 import UsageRecord
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.mirror import Mirror, open_mirror
from tiro_core.messaging.records import RecordStore


def today() -> str:
    """The day in UTC, as in 2026-01-31."""
    return datetime.now(UTC).date().isoformat()


class UsageCounter:
    """Adds to the counts. Several processes may add at once."""

    def __init__(self, bus: Bus) -> None:
        self._records = RecordStore(bus, topology.USAGE_BUCKET, UsageRecord)

    async def add(self, tenant: str, engine: str, seconds: float) -> None:
        """Add seconds of audio to the count of today.

        Raises:
            BusUnavailable: NATS did not answer. The seconds may have been counted.
            StreamFull: NATS has no room for the count.
        """
        day = today()
        key = subjects.usage(tenant, engine, day)

        def count(record: UsageRecord) -> None:
            record.seconds_sent += seconds

        while True:  # each conflict is another worker's success
            try:
                await self._records.mutate(key, count)
            except Conflict:
                continue
            except KeyError:
                first = UsageRecord(tenant=tenant, engine=engine, day=day, seconds_sent=seconds)
                with suppress(Conflict):
                    await self._records.create(key, first)
                    return
            else:
                return


class UsageMirror:
    """All counts in memory, so that reading one needs no request. They are as new as the last writes of the workers."""

    def __init__(self, mirror: Mirror[UsageRecord]) -> None:
        self._mirror = mirror

    def seconds_today(self, tenant: str, engines: Collection[str]) -> float:
        """Seconds of a tenant's audio that these engines have sent since midnight, UTC."""
        day = today()
        records = (self._mirror.get(subjects.usage(tenant, engine, day)) for engine in engines)
        return sum(record.seconds_sent for record in records if record is not None)


@asynccontextmanager
async def open_usage_mirror(bus: Bus) -> AsyncIterator[UsageMirror]:
    """A mirror that is complete and follows the changes."""
    async with open_mirror(RecordStore(bus, topology.USAGE_BUCKET, UsageRecord)) as mirror:
        yield UsageMirror(mirror)


async def list_usage(bus: Bus, *, tenant: str = "*", day: str = "*") -> list[UsageRecord]:
    """The counts, sorted by day, tenant and engine. `*` selects all tenants, or days."""
    records = RecordStore(bus, topology.USAGE_BUCKET, UsageRecord)
    found = [change.value async for change in records.all(f"{tenant}.*.{day}") if change.value is not None]
    return sorted(found, key=lambda record: (record.day, record.tenant, record.engine))
