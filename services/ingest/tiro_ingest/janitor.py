"""Tidying up: uploads that were never finished, or refused, go with their bytes when their time is over."""

import asyncio

from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.interface import BlobStore, StorageUnavailable
from tiro_core.blobs.keys import upload_key
from tiro_core.bus import topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.publishing import TRANSIENT, BusUnavailable
from tiro_core.bus.records import RecordStore
from tiro_core.clock import seconds_until
from tiro_core.logs import get_logger

log = get_logger()


class _InUseAgain(Exception):  # noqa: N818 - reads as the condition it reports
    """A writer has come back to the upload."""


class Janitor:
    """Removes expired uploads of all tenants. Several may run at once, one in each ingest service."""

    def __init__(self, bus: Bus, blobs: BlobStore, interval_seconds: float) -> None:
        self._records = RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord)
        self._blobs = blobs
        self._interval_seconds = interval_seconds

    async def run(self) -> None:
        """Sweep at every interval, until cancelled."""
        while True:
            try:
                await self.sweep()
            except (BusUnavailable, StorageUnavailable, *TRANSIENT) as error:
                log.warning("sweep_broken_off", error=repr(error), again_in_seconds=self._interval_seconds)
            await asyncio.sleep(self._interval_seconds)

    async def sweep(self) -> None:
        """Remove what has expired."""
        async with self._records.watch(">") as changes:
            async for change in changes:
                if change is None:
                    return
                if change.value is not None and _has_expired(change.value):
                    await self._remove(change.key, change.value)

    async def _remove(self, key: str, upload: UploadRecord) -> None:
        try:
            await self._records.mutate(key, _end)
        except (KeyError, _InUseAgain):  # another janitor, or a writer, was here since
            return
        await self._blobs.delete(upload_key(upload.tenant, upload.upload_id))
        await self._records.delete(key)
        log.info("upload_removed", tenant=upload.tenant, upload=upload.upload_id)


def _end(record: UploadRecord) -> None:
    if not _has_expired(record):
        raise _InUseAgain
    # Whoever still writes to it is refused from here on.
    record.state = Upload.STATE_FAILED


def _has_expired(record: UploadRecord) -> bool:
    """Whether its time is over. A READY upload has no such time."""
    return record.HasField("expire_time") and seconds_until(record.expire_time) < 0
