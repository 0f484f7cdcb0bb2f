"""Tidying up uploads: those never finished, those refused, and those that no job needs go when their time is over."""

import asyncio

from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.interface import StorageUnavailable
from tiro_core.clock import seconds_until
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.records import RecordStore
from tiro_ingest.retention.remover import Remover
from tiro_ingest.uploads.store import Uploads

log = get_logger()


class Janitor:
    """Removes expired uploads of all tenants. Several may run at once, one in each ingest service."""

    def __init__(self, bus: Bus, uploads: Uploads, remover: Remover, interval_seconds: float) -> None:
        self._records = RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord)
        self._uploads = uploads
        self._remover = remover
        self._interval_seconds = interval_seconds

    async def run(self) -> None:
        """Sweep at every interval, until cancelled."""
        while True:
            try:
                await self.sweep()
            except (MessagingError, StorageUnavailable) as error:
                log.warning("sweep_broken_off", error=repr(error), again_in_seconds=self._interval_seconds)
            await asyncio.sleep(self._interval_seconds)

    async def sweep(self) -> None:
        """Remove what has expired."""
        async for change in self._records.all(">"):
            if change.value is not None:
                await self._look_at(change.value)

    async def _look_at(self, upload: UploadRecord) -> None:
        if upload.state == Upload.STATE_READY and not upload.HasField("expire_time"):
            # A live session's recording: it comes from a worker, which does not know how long uploads are kept.
            await self._uploads.undelete(upload.tenant, upload.upload_id)
            return
        expired = upload.HasField("expire_time") and seconds_until(upload.expire_time) < 0
        if upload.removing or (expired and upload.state == Upload.STATE_READY):
            await self._remover.remove_unused_upload(upload.tenant, upload.upload_id)
        elif expired and await self._uploads.expire(upload.tenant, upload.upload_id):
            await self._uploads.remove(upload.tenant, upload.upload_id)
