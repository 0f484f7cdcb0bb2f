"""Storing recordings from any source: bytes are written and verified, then the upload is READY."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tiro.events.v1.upload_pb2 import UploadRecord
from tiro_core.blobs.interface import BlobStore
from tiro_ingest.uploads.spool import SpoolSpace, UploadSpool
from tiro_ingest.uploads.store import Uploads
from tiro_ingest.uploads.verification import UploadVerifier
from tiro_ingest.uploads.writer import UploadWriter


class UploadIntake:
    """Stores and verifies recordings.

    Args:
        uploads: The uploads' records.
        blobs: The store of their bytes.
        verifier: Checks whether they are recordings.
        space: The space on the local disk.
        bytes_max: The largest upload.
    """

    def __init__(
        self, uploads: Uploads, blobs: BlobStore, verifier: UploadVerifier, space: SpoolSpace, *, bytes_max: int
    ) -> None:
        self.bytes_max = bytes_max
        self._uploads = uploads
        self._blobs = blobs
        self._verifier = verifier
        self._space = space

    @asynccontextmanager
    async def open_writer(self, record: UploadRecord) -> AsyncIterator[UploadWriter]:
        """A writer of an upload that was begun with `Uploads.begin_writing`. Verify the upload inside the context.

        At the end of the context, also after an error, the record has the committed size, and no bytes are stored of an
        upload that was deleted or refused meanwhile.
        """
        async with self._uploads.writing(record), UploadSpool(self._space) as spool:
            writer = UploadWriter(self._uploads, self._blobs, record, spool, bytes_max=self.bytes_max)
            async with writer:
                yield writer

    async def verify(self, writer: UploadWriter, announced_sha256: str = "") -> UploadRecord:
        """Make an upload READY whose last byte is written.

        Raises:
            UploadRefused: The bytes are not what was announced, or not a recording that is accepted.
            TiroError: The upload was deleted, another call writes to it, or the local disk is full.
        """
        return await self._verifier.verify(writer.record, writer.size, announced_sha256, writer.spool)
