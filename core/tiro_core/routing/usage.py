"""The seconds of audio that were sent to cloud engines, by tenant, engine and day. Workers count them."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from tiro.events.v1.usage_pb2 import UsageRecord
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.mirror import Mirror, open_mirror
from tiro_core.messaging.records import RecordStore, Superseded

ADD_TRIES_MAX = 10
"""The most changes of one count, each tried as often as `RecordStore.mutate` does, before it is left to the caller."""


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
            Conflict: Other workers were faster at every try.
        """
        day = today()
        key = subjects.usage(tenant, engine, day)

        def count(record: UsageRecord) -> None:
            record.seconds_sent += seconds

        first = UsageRecord(tenant=tenant, engine=engine, day=day, seconds_sent=seconds)
        for _ in range(ADD_TRIES_MAX):  # each conflict is another worker's success
            try:
                await self._records.mutate(key, count)
            except KeyError:
                if not await self._create(key, first):
                    continue
            except Conflict:
                continue
            return
        raise Conflict(key)

    async def _create(self, key: str, first: UsageRecord) -> bool:
        """Write the first count of a day, also of one whose count an operator has deleted. Returns whether it is."""
        try:
            await self._records.create(key, first, over_marker=True)
        except Superseded:  # written, and others have added to it since
            return True
        except Conflict:
            return False
        return True


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
