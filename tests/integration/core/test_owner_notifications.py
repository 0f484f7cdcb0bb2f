"""Notifications that a record was written by another process."""

import asyncio

from tiro_core.leases.notifications import notify_owner, open_owner_notifications
from tiro_core.messaging.connection import Bus


async def test_every_owner_of_a_record_is_notified(bus: Bus, tenant: str) -> None:
    """A process that stalled may have claimed a record twice: the end of one attempt takes nothing from the other."""
    key = f"{tenant}.job"
    async with open_owner_notifications(bus, f"worker-{tenant}") as notifications:
        with notifications.of(key) as first:
            with notifications.of(key) as second:
                await notify_owner(bus, notifications.worker_id, key)
                await asyncio.gather(first.wait(), second.wait())
            first.clear()
            await notify_owner(bus, notifications.worker_id, key)
            await first.wait()
        await notify_owner(bus, notifications.worker_id, key)  # nobody waits: nothing happens
