"""Recordings that come with the job itself: they become an upload like any other."""

from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.interface import BlobStore
from tiro_core.errors import from_status
from tiro_ingest.uploads.store import Uploads
from tiro_ingest.uploads.verification import UploadVerifier
from tiro_ingest.uploads.writer import UploadWriter


class InlineAudioStore:
    """Stores recordings that come in one message."""

    def __init__(self, uploads: Uploads, blobs: BlobStore, finisher: UploadVerifier, *, bytes_max: int) -> None:
        self._uploads = uploads
        self._blobs = blobs
        self._finisher = finisher
        self._bytes_max = bytes_max

    async def store(self, tenant: str, upload_id: str, display_name: str, content: bytes) -> UploadRecord:
        """Make an upload of `content`, or return the one that a request before this one made of it.

        Raises:
            UploadRefused: It is not a recording that is taken.
            TiroError: It was refused before; or another call stores it at this moment.
        """
        record = await self._uploads.create(tenant, upload_id, display_name=display_name, size_bytes=len(content))
        if record.state == Upload.STATE_READY:
            return record
        if record.state == Upload.STATE_FAILED:
            raise from_status(record.error)
        record = await self._uploads.begin_writing(tenant, upload_id, None)
        async with self._uploads.refusing(record):
            async with UploadWriter(self._uploads, self._blobs, record, bytes_max=self._bytes_max) as writer:
                await writer.write(content[record.committed_size :])
                await writer.finish()
            return await self._finisher.finish(writer.record, writer.size, "")
