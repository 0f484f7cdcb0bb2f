"""Recordings that come in the request of their job: they become uploads as well."""

from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.errors import from_status
from tiro_ingest.uploads.intake import UploadIntake
from tiro_ingest.uploads.store import Uploads


class InlineAudioStore:
    """Stores recordings that come in one message."""

    def __init__(self, uploads: Uploads, intake: UploadIntake) -> None:
        self._uploads = uploads
        self._intake = intake

    async def store(self, tenant: str, upload_id: str, display_name: str, content: bytes) -> UploadRecord:
        """Make an upload of `content`, or return the one that an earlier request made of it.

        Raises:
            UploadRefused: It is not a recording that is accepted.
            TiroError: It was refused or deleted before; or another call is storing it.
        """
        record = await self._uploads.create(
            tenant, upload_id, display_name=display_name, size_bytes=len(content), needs_job=True
        )
        if record.state == Upload.STATE_READY:
            # An upload that no job has needed for an hour is removed: this gives it another hour.
            return await self._uploads.renew(tenant, upload_id)
        if record.state == Upload.STATE_FAILED:
            raise from_status(record.error)
        record = await self._uploads.begin_writing(tenant, upload_id, None)
        async with self._intake.open_writer(record) as writer:
            await writer.write(content[record.committed_size :])
            await writer.finish()
            return await self._intake.verify(writer)
