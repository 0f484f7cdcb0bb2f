"""Notifications of a record's owner about writes by other processes."""

import asyncio

from tiro_core.leases.notifications import notify_owner, open_owner_notifications
from tiro_core.messaging.connection import Bus


async def test_every_owner_of_a_record_is_notified(bus: Bus, tenant: str) -> None:
    """A process may own a record twice after a stall. The end of one attempt keeps the other's notifications."""
    key = f"{tenant}.job"
    async with open_owner_notifications(bus, f"worker-{tenant}") as notifications:
        with notifications.of(key) as first:
            with notifications.of(key) as second:
                await notify_owner(bus, notifications.worker_id, key)
                await asyncio.gather(first.wait(), second.wait())
            first.clear()
            await notify_owner(bus, notifications.worker_id, key)
            await first.wait()
        await notify_owner(bus, notifications.worker_id, key)  # without an owner: no effect
