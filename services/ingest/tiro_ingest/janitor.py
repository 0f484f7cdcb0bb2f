"""Tidying up: uploads that were never finished, or refused, go with their bytes when their time is over."""

import asyncio

from tiro_core.bus.publishing import TRANSIENT, BusUnavailable
from tiro_core.logs import get_logger
from tiro_ingest.uploads import Uploads

log = get_logger()


class Janitor:
    """Removes expired uploads. Several may run at once, one in each ingest service."""

    def __init__(self, uploads: Uploads, interval_seconds: float) -> None:
        self._uploads = uploads
        self._interval_seconds = interval_seconds

    async def run(self) -> None:
        """Sweep at every interval, until cancelled."""
        while True:
            try:
                await self.sweep()
            except (BusUnavailable, *TRANSIENT) as error:
                log.warning("sweep_broken_off", error=repr(error), again_in_seconds=self._interval_seconds)
            await asyncio.sleep(self._interval_seconds)

    async def sweep(self) -> None:
        """Remove what has expired."""
        async for record in self._uploads.expired():
            if await self._uploads.remove_expired(record.tenant, record.upload_id):
                log.info("upload_removed", tenant=record.tenant, upload=record.upload_id)
