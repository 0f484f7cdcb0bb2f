"""Upload records: OPEN while bytes are written, then READY or FAILED. Every change is a compare-and-set.

An upload that is `removing` is hidden: callers do not find it. While it is OPEN or READY its deletion is undecided, and
the upload may be shown again. Once it is FAILED as well its deletion is decided: its bytes are deleted, then its
record.

Every write of a record sets its `expire_time`, to a time that depends on its state only. So records expire in the order
in which they were written, in which maintenance reads them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc

from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.audio_pb2 import AudioInfo
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.interface import PART_BYTES, BlobStore, StorageUnavailable
from tiro_core.blobs.keys import upload_key
from tiro_core.clock import in_seconds, now, seconds_until
from tiro_core.errors import TiroError, failed_precondition, not_found, reason_name
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict, MessagingError
from tiro_core.messaging.records import RecordStore, Stored
from tiro_core.messaging.subjects import record as record_key
from tiro_ingest.metrics import UPLOADS_ENDED
from tiro_ingest.resources.idempotency import IdempotencyStore
from tiro_ingest.resources.names import upload_name

RENEWAL_SECONDS_MAX = 600.0
"""The longest time between two renewals of an upload by its writer, also when bytes come slowly."""
RENEWALS_PER_TTL = 3
"""The same for short `ttl_seconds`: an upload that is written does not expire."""

CLEAN_UP_SECONDS_MAX = 5.0
"""How long the end of a broken call may take to delete the bytes that it stored of a deleted upload."""

log = get_logger()


class UploadRefused(TiroError):  # noqa: N818 - reads as the condition it reports
    """The bytes are not a recording that is accepted: the upload has failed."""


class Uploads:
    """The uploads of all tenants.

    Args:
        bus: The connection.
        blobs: The store of their bytes.
        ttl_seconds: How long an unfinished upload is kept after its last write, and a refused one after its end.
        ready_ttl_seconds: How long a finished upload that no job needs is kept.
    """

    def __init__(self, bus: Bus, blobs: BlobStore, *, ttl_seconds: float, ready_ttl_seconds: float) -> None:
        self._records = RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord)
        self._request_ids = IdempotencyStore(bus)
        self._blobs = blobs
        self.ttl_seconds = ttl_seconds
        self.ready_ttl_seconds = ready_ttl_seconds
        self.renewal_seconds = min(RENEWAL_SECONDS_MAX, ttl_seconds / RENEWALS_PER_TTL)

    async def create(
        self,
        tenant: str,
        upload_id: str,
        *,
        display_name: str,
        size_bytes: int,
        request_key: str = "",
        needs_job: bool = False,
    ) -> UploadRecord:
        """Create an upload, or return the one with this id: an id is only used again by a repeated request.

        Args:
            tenant: The tenant of the upload.
            upload_id: The id of the upload.
            display_name: The caller's name for it.
            size_bytes: The size that the caller announced; 0 for none.
            request_key: The key of the request's record, which is deleted with the upload. Empty: there is none, or it
                is a job's.
            needs_job: Whether it is stored for a job, and removed when no job needs it.

        Raises:
            TiroError: NOT_FOUND; the upload was deleted.
        """
        record = UploadRecord(
            tenant=tenant,
            upload_id=upload_id,
            display_name=display_name,
            size_bytes=size_bytes,
            part_size=PART_BYTES,
            state=Upload.STATE_OPEN,
            create_time=now(),
            expire_time=in_seconds(self.ttl_seconds),
            request_key=request_key,
            needs_job=needs_job,
        )
        try:
            return (await self._records.create(record_key(tenant, upload_id), record)).value
        except Conflict:
            return await self.get(tenant, upload_id)

    async def get(self, tenant: str, upload_id: str) -> UploadRecord:
        """Read an upload.

        Raises:
            TiroError: NOT_FOUND.
        """
        stored = await self._read(tenant, upload_id)
        if stored is None or stored.value.removing:
            raise no_upload(upload_id)
        return stored.value

    async def begin_writing(self, tenant: str, upload_id: str, offset: int | None) -> UploadRecord:
        """Become the writer of an upload. The writer before is refused from here on.

        Args:
            tenant: The tenant of the upload.
            upload_id: The id of the upload.
            offset: The offset at which the caller begins; None for the committed size.

        Raises:
            TiroError: NOT_FOUND; or FAILED_PRECONDITION, the upload is finished, or its committed size is not `offset`.
        """

        def take_over(record: UploadRecord) -> None:
            if record.removing:
                raise no_upload(upload_id)
            _require_open(record)
            if offset is not None and offset != record.committed_size:
                raise failed_precondition(
                    reasons.ERROR_REASON_WRITE_OFFSET_MISMATCH,
                    f"the upload continues at {record.committed_size}, not at {offset}",
                    committed_size=str(record.committed_size),
                )
            record.writer_epoch += 1
            self._renew(record)

        try:
            return (await self._records.mutate(record_key(tenant, upload_id), take_over)).value
        except KeyError:
            raise no_upload(upload_id) from None

    async def commit(self, writer: UploadRecord, size: int) -> UploadRecord:
        """Record that the first `size` bytes are stored.

        Args:
            writer: The record as this writer last wrote it.
            size: A whole number of parts, in bytes.

        Raises:
            TiroError: ABORTED, another call writes to the upload; or NOT_FOUND, or FAILED_PRECONDITION.
        """

        def advance(record: UploadRecord) -> None:
            record.committed_size = size
            self._renew(record)

        return await self._write(writer, advance)

    async def require_writer(self, writer: UploadRecord) -> None:
        """Require that the upload is open, and that no other call has begun to write to it since.

        Raises:
            TiroError: As `commit`.
        """
        stored = await self._read(writer.tenant, writer.upload_id)
        if stored is None:
            raise no_upload(writer.upload_id)
        _require_writer(stored.value, writer)

    async def make_ready(self, writer: UploadRecord, size: int, sha256: str, audio: AudioInfo) -> UploadRecord:
        """Finish an upload whose bytes are a recording. From here on it expires when no job needs it.

        Raises:
            TiroError: As `commit`.
        """

        def finish(record: UploadRecord) -> None:
            record.state = Upload.STATE_READY
            record.committed_size = size
            record.sha256 = sha256
            record.audio.CopyFrom(audio)
            self._renew(record)

        ready = await self._write(writer, finish)
        UPLOADS_ENDED.labels("ready").inc()
        seconds = audio.duration.ToTimedelta().total_seconds()
        log.info("upload_ready", size_bytes=size, codec=audio.codec, audio_seconds=seconds)
        return ready

    async def renew(self, tenant: str, upload_id: str) -> UploadRecord:
        """Renew the expiry time of an upload as if it had been finished now.

        Raises:
            TiroError: NOT_FOUND.
        """

        def renew(record: UploadRecord) -> None:
            if record.removing:
                raise no_upload(upload_id)
            self._renew(record)

        try:
            return (await self._records.mutate(record_key(tenant, upload_id), renew)).value
        except KeyError:
            raise no_upload(upload_id) from None

    @asynccontextmanager
    async def writing(self, writer: UploadRecord) -> AsyncIterator[None]:
        """Write an upload and finish it inside the context. No write of bytes may be under way when the context ends.

        `UploadRefused` raised in the context fails the upload. After any exception, the bytes of an upload that has
        failed, or was deleted meanwhile, are deleted, because only this writer knows the bytes that were stored after
        the deletion. A writer that dies before that leaves them to the sweeper.
        """
        try:
            yield
        except BaseException as error:
            try:
                if isinstance(error, UploadRefused):
                    await self._fail(writer, error)
            finally:
                await self._clean_up(writer)
            raise

    async def _fail(self, writer: UploadRecord, refusal: UploadRefused) -> None:
        """Fail an upload whose bytes were refused. Its record has the reason until it expires."""

        def end(record: UploadRecord) -> None:
            record.state = Upload.STATE_FAILED
            record.error.CopyFrom(refusal.to_status())
            self._renew(record)

        await self._write(writer, end)
        UPLOADS_ENDED.labels("failed").inc()
        log.info("upload_failed", reason=reason_name(refusal.reason))

    async def _clean_up(self, writer: UploadRecord) -> None:
        """Delete the bytes of an upload that has failed or is deleted. Those of a later writer stay."""
        try:
            async with asyncio.timeout(CLEAN_UP_SECONDS_MAX):
                stored = await self._read(writer.tenant, writer.upload_id)
                if stored is None or stored.value.state == Upload.STATE_FAILED:
                    await self._blobs.delete(upload_key(writer.tenant, writer.upload_id))
        except (TimeoutError, MessagingError, StorageUnavailable) as error:
            log.warning("upload_not_cleaned_up", error=repr(error), note="left to the sweeper")

    async def mark_for_deletion(self, tenant: str, upload_id: str, *, revision: int | None = None) -> bool:
        """Hide an upload, to decide whether it can be deleted.

        Args:
            tenant: The tenant of the upload.
            upload_id: The id of the upload.
            revision: Hide only this revision of the record: one that was written since stays. None: hide any.

        Returns:
            Whether it is hidden.
        """

        def hide(record: UploadRecord) -> None:
            record.removing = True
            self._renew(record)

        if revision is None:
            return await self._change(tenant, upload_id, hide)
        stored = await self._read(tenant, upload_id)
        if stored is None or stored.revision != revision:
            return False
        hide(stored.value)
        try:
            await self._records.update(record_key(tenant, upload_id), stored.value, stored)
        except Conflict:
            return False
        return True

    async def expire(self, tenant: str, upload_id: str) -> bool:
        """Hide an upload that is not finished and has expired. Returns whether it is hidden."""

        def hide(record: UploadRecord) -> None:
            if record.state == Upload.STATE_READY or seconds_until(record.expire_time) >= 0:
                raise KeyError(upload_id)  # a writer has written to it since
            record.removing = True
            self._renew(record)

        return await self._change(tenant, upload_id, hide)

    async def undelete(self, tenant: str, upload_id: str) -> None:
        """Show a hidden upload again because it is needed, unless its deletion is decided."""

        def show(record: UploadRecord) -> None:
            if record.removing and record.state == Upload.STATE_FAILED:
                raise KeyError(upload_id)
            record.removing = False
            self._renew(record)

        await self._change(tenant, upload_id, show)

    async def remove(self, tenant: str, upload_id: str) -> None:
        """Delete a hidden upload with its bytes. Does nothing if the upload is shown again meanwhile."""
        key = ""

        def decide(record: UploadRecord) -> None:
            nonlocal key
            if not record.removing:
                raise KeyError(upload_id)
            key = record.request_key
            record.state = Upload.STATE_FAILED

        if not await self._change(tenant, upload_id, decide):
            return
        await self._blobs.delete(upload_key(tenant, upload_id))
        await self._request_ids.release(key, upload_id)
        await self._records.delete(record_key(tenant, upload_id))
        log.info("upload_removed", tenant=tenant, upload=upload_id)

    def _renew(self, record: UploadRecord) -> None:
        is_ready = record.state == Upload.STATE_READY
        record.expire_time.CopyFrom(in_seconds(self.ready_ttl_seconds if is_ready else self.ttl_seconds))

    async def _read(self, tenant: str, upload_id: str) -> Stored[UploadRecord] | None:
        return await self._records.get(record_key(tenant, upload_id))

    async def _change(self, tenant: str, upload_id: str, change: Callable[[UploadRecord], None]) -> bool:
        try:
            await self._records.mutate(record_key(tenant, upload_id), change)
        except KeyError:
            return False
        return True

    async def _write(self, writer: UploadRecord, change: Callable[[UploadRecord], None]) -> UploadRecord:
        def fenced(record: UploadRecord) -> None:
            _require_writer(record, writer)
            change(record)

        try:
            return (await self._records.mutate(record_key(writer.tenant, writer.upload_id), fenced)).value
        except KeyError:
            raise no_upload(writer.upload_id) from None


def busy() -> TiroError:
    """The error of a writer that was replaced."""
    message = "another call writes to the upload"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_UPLOAD_BUSY, message)


def _require_writer(record: UploadRecord, writer: UploadRecord) -> None:
    """Require that an upload is still this writer's. A hidden upload counts as well, because it may be shown again."""
    if record.removing and record.state == Upload.STATE_FAILED:
        raise no_upload(record.upload_id)
    if record.writer_epoch != writer.writer_epoch:
        raise busy()
    _require_open(record)


def _require_open(record: UploadRecord) -> None:
    if record.state != Upload.STATE_OPEN:
        state = Upload.State.Name(record.state).removeprefix("STATE_")
        raise failed_precondition(
            reasons.ERROR_REASON_UPLOAD_FINISHED,
            f"the upload is {state}; nothing more can be written to it",
            state=state,
        )


def no_upload(upload_id: str) -> TiroError:
    """The error about an upload that does not exist, or is not the caller's."""
    return not_found(reasons.ERROR_REASON_UPLOAD_NOT_FOUND, f"there is no upload {upload_name(upload_id)!r}")
