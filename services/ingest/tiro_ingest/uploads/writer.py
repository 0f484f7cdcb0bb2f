"""Writing the bytes of one call into the store: whole parts, a few at a time."""

import asyncio
import time
from collections import deque
from types import TracebackType
from typing import Self

import grpc

from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.blobs.interface import NOTHING, PART_BYTES, BlobStore, PartConflict
from tiro_core.blobs.keys import upload_key
from tiro_core.errors import TiroError
from tiro_core.logs.logger import get_logger
from tiro_ingest.metrics import UPLOADED_BYTES
from tiro_ingest.uploads.spool import UploadSpool
from tiro_ingest.uploads.store import UploadRefused, Uploads, busy

PARTS_UNDER_WAY_MAX = 2
"""Parts that are being stored at once. With the part that is being filled, a call has at most three parts in memory."""
COMMIT_PARTS = 16
"""Parts stored between two writes of the record: after the death of a service its caller sends at most 8 MiB again."""
CONFLICTS_MAX = 5
"""How often a part may be written by others meanwhile. A call that was replaced can write each part once more."""
SETTLE_SECONDS_MAX = 5.0
"""How long the end of a broken call may take to record the committed size."""

log = get_logger()


class UploadWriter:
    """Stores the bytes of one call.

    At the end of the context, also after an error, the record has the committed size, and no write is under way.

    A writer that was replaced cannot overwrite the parts of the next one: it stores a part only where there is none, or
    in place of a revision from before the last check that the upload is still this writer's.

    Attributes:
        record: The upload as this writer last wrote it.
        spool: The spool of the upload, if this writer has seen all of its bytes.
    """

    def __init__(
        self, uploads: Uploads, blobs: BlobStore, record: UploadRecord, spool: UploadSpool, *, bytes_max: int
    ) -> None:
        self.record = record
        self.spool = spool
        self._uploads = uploads
        self._blobs = blobs
        self._bytes_max = bytes_max
        self._key = upload_key(record.tenant, record.upload_id)
        self._filling = bytearray()
        self._begun = record.committed_size
        self._stored = record.committed_size
        self._renewed_at = time.monotonic()
        self._under_way: deque[tuple[asyncio.Task[None], int]] = deque()

    @property
    def size(self) -> int:
        """The size of the upload with the bytes that were written here."""
        return self._begun + len(self._filling)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self._settle()
            elif isinstance(error, asyncio.CancelledError | TiroError) and not _is_final(error):
                await self._settle_after(error)
        finally:
            for put, _ in self._under_way:
                put.cancel()
            await asyncio.gather(*(put for put, _ in self._under_way), return_exceptions=True)

    async def rewind(self, size: int) -> None:
        """Begin before the committed size. Call it before the first `write`.

        Raises:
            TiroError: ABORTED; another call writes to the upload.
        """
        self.record = await self._uploads.commit(self.record, size)
        self._begun = self._stored = size

    async def write(self, data: bytes) -> None:
        """Write the next bytes.

        Raises:
            UploadRefused: The upload is larger than is accepted, or than was announced.
            TiroError: ABORTED; another call writes to the upload.
            BusUnavailable: NATS did not answer.
        """
        self._require_room(len(data))
        self._filling += data
        while len(self._filling) >= PART_BYTES:
            part = bytes(self._filling[:PART_BYTES])
            del self._filling[:PART_BYTES]
            await self._put(part)
        if time.monotonic() - self._renewed_at >= self._uploads.renewal_seconds:
            await self._renew()

    async def finish(self) -> None:
        """Store the last part, which may be short, and wait until all parts are stored."""
        if self._filling:
            part = bytes(self._filling)
            self._filling.clear()
            await self._put(part)
        await self._settle()

    def _require_room(self, more: int) -> None:
        announced = self.record.size_bytes
        if self.size + more > self._bytes_max:
            raise too_large(self._bytes_max)
        if announced and self.size + more > announced:
            raise UploadRefused(
                grpc.StatusCode.INVALID_ARGUMENT,
                reasons.ERROR_REASON_UPLOAD_MISMATCH,
                f"the upload was announced with {announced} bytes and has more",
            )

    async def _put(self, part: bytes) -> None:
        if len(self._under_way) >= PARTS_UNDER_WAY_MAX:
            await self._await_oldest()
        put = asyncio.create_task(self._store(self._begun // PART_BYTES, part), name="store-part")
        self._under_way.append((put, len(part)))
        begun, self._begun = self._begun, self._begun + len(part)
        await self.spool.add(begun, part)

    async def _store(self, index: int, part: bytes) -> None:
        revision = NOTHING
        for _ in range(CONFLICTS_MAX):
            try:
                await self._blobs.put_part_expecting(self._key, index, part, revision=revision)
            except PartConflict:
                # The part was left by an earlier call, or written by a later one. The revision is read before the
                # record: a later writer's part has another revision than the part at the time when the upload was still
                # this writer's.
                revision = await self._blobs.part_revision(self._key, index)
                await self._uploads.require_writer(self.record)
            else:
                return
        raise busy()

    async def _await_oldest(self) -> None:
        put, size = self._under_way[0]
        await put
        self._under_way.popleft()
        self._stored += size
        UPLOADED_BYTES.inc(size)
        if self._stored - self.record.committed_size >= COMMIT_PARTS * PART_BYTES:
            await self._commit()

    async def _settle(self) -> None:
        while self._under_way:
            await self._await_oldest()
        await self._commit()

    async def _settle_after(self, error: BaseException) -> None:
        """Record the committed size of a broken call. Its caller gets the error that broke it, not a further one."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS_MAX):
                await self._settle()
        except Exception as failure:  # noqa: BLE001 - the upload continues at the last commit, and `error` is passed on
            log.warning("upload_not_settled", after=error, error=failure)

    async def _commit(self) -> None:
        if self._whole_parts() != self.record.committed_size:
            await self._renew()

    async def _renew(self) -> None:
        """Record the committed size, which also renews the expiry time."""
        self.record = await self._uploads.commit(self.record, self._whole_parts())
        self._renewed_at = time.monotonic()

    def _whole_parts(self) -> int:
        return self._stored - self._stored % PART_BYTES


def _is_final(error: BaseException) -> bool:
    """Whether the stored bytes cannot be used by this writer: the upload has failed, or is another call's."""
    return isinstance(error, UploadRefused) or (
        isinstance(error, TiroError) and error.reason == reasons.ERROR_REASON_UPLOAD_BUSY
    )


def too_large(bytes_max: int) -> UploadRefused:
    """The refusal of an upload that is larger than the deployment accepts."""
    return UploadRefused(
        grpc.StatusCode.INVALID_ARGUMENT,
        reasons.ERROR_REASON_UPLOAD_TOO_LARGE,
        f"a recording may have {bytes_max} bytes at most",
        {"upload_bytes_max": str(bytes_max)},
    )
