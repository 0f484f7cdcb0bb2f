"""Upload records: OPEN while bytes come, then READY or FAILED. Every change is a compare-and-set."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc

from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.audio_pb2 import AudioInfo
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.interface import PART_BYTES, BlobStore
from tiro_core.blobs.keys import upload_key
from tiro_core.clock import in_seconds, now, seconds_until
from tiro_core.errors import TiroError, failed_precondition, not_found, reason_name
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.records import RecordStore
from tiro_core.messaging.subjects import record as record_key
from tiro_ingest.api.names import upload_name
from tiro_ingest.metrics import UPLOADS_ENDED

log = get_logger()


class UploadRefused(TiroError):  # noqa: N818 - reads as the condition it reports
    """The bytes can never become a recording that is taken: the upload has failed."""


class Uploads:
    """The uploads of all tenants."""

    def __init__(self, bus: Bus, blobs: BlobStore, *, ttl_seconds: float, ready_ttl_seconds: float) -> None:
        self._records = RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord)
        self._blobs = blobs
        self._ttl_seconds = ttl_seconds
        self._ready_ttl_seconds = ready_ttl_seconds

    async def create(self, tenant: str, upload_id: str, *, display_name: str, size_bytes: int) -> UploadRecord:
        """Begin an upload, or return the one that is there: the id is only used again to repeat a request."""
        record = UploadRecord(
            tenant=tenant,
            upload_id=upload_id,
            display_name=display_name,
            size_bytes=size_bytes,
            part_size=PART_BYTES,
            state=Upload.STATE_OPEN,
            create_time=now(),
            expire_time=in_seconds(self._ttl_seconds),
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
        stored = await self._records.get(record_key(tenant, upload_id))
        if stored is None or stored.value.removing:
            raise no_upload(upload_id)
        return stored.value

    async def begin_writing(self, tenant: str, upload_id: str, offset: int | None) -> UploadRecord:
        """Become the writer of an upload. Whoever wrote to it is refused from now on.

        Args:
            tenant: Whose upload it is.
            upload_id: Which one.
            offset: Where the caller begins; None for wherever it ends.

        Raises:
            TiroError: NOT_FOUND; or FAILED_PRECONDITION, it is finished or ends elsewhere.
        """

        def take_over(record: UploadRecord) -> None:
            if record.removing:
                raise no_upload(upload_id)
            _require_open(record)
            if offset is not None and offset != record.committed_size:
                raise failed_precondition(
                    reasons.ERROR_REASON_WRITE_OFFSET_MISMATCH,
                    f"the upload goes on at {record.committed_size}, not at {offset}",
                    committed_size=str(record.committed_size),
                )
            record.writer_epoch += 1
            record.expire_time.CopyFrom(in_seconds(self._ttl_seconds))

        try:
            return (await self._records.mutate(record_key(tenant, upload_id), take_over)).value
        except KeyError:
            raise no_upload(upload_id) from None

    async def commit(self, writer: UploadRecord, size: int) -> UploadRecord:
        """Record that the first `size` bytes are stored.

        Args:
            writer: The record as this writer last knew it.
            size: A whole number of parts.

        Raises:
            TiroError: ABORTED, another call writes to it; or NOT_FOUND, or FAILED_PRECONDITION.
        """

        def advance(record: UploadRecord) -> None:
            record.committed_size = size
            record.expire_time.CopyFrom(in_seconds(self._ttl_seconds))

        return await self._write(writer, advance)

    async def require_writer(self, writer: UploadRecord) -> None:
        """Go on only if the upload is open, and nobody has begun to write to it since.

        Raises:
            TiroError: As `commit`.
        """
        _require_writer(await self.get(writer.tenant, writer.upload_id), writer)

    async def make_ready(self, writer: UploadRecord, size: int, sha256: str, audio: AudioInfo) -> UploadRecord:
        """Finish an upload: its bytes are a recording. From here on it expires when no job needs it.

        Raises:
            TiroError: As `commit`.
        """

        def finish(record: UploadRecord) -> None:
            record.state = Upload.STATE_READY
            record.committed_size = size
            record.sha256 = sha256
            record.audio.CopyFrom(audio)
            record.expire_time.CopyFrom(in_seconds(self._ready_ttl_seconds))

        ready = await self._write(writer, finish)
        UPLOADS_ENDED.labels("ready").inc()
        seconds = audio.duration.ToTimedelta().total_seconds()
        log.info("upload_ready", size_bytes=size, codec=audio.codec, audio_seconds=seconds)
        return ready

    @asynccontextmanager
    async def refusing(self, writer: UploadRecord) -> AsyncIterator[None]:
        """Fail the upload when `UploadRefused` comes out of the context, and pass it on to the caller."""
        try:
            yield
        except UploadRefused as refusal:
            await self.fail(writer, refusal)
            raise

    async def fail(self, writer: UploadRecord, refusal: UploadRefused) -> None:
        """End an upload whose bytes were refused, and delete them. Its record tells why until it expires.

        Raises:
            TiroError: As `commit`.
        """

        def end(record: UploadRecord) -> None:
            record.state = Upload.STATE_FAILED
            record.error.CopyFrom(refusal.to_status())

        await self._write(writer, end)
        UPLOADS_ENDED.labels("failed").inc()
        log.info("upload_failed", reason=reason_name(refusal.reason))
        await self._blobs.delete(upload_key(writer.tenant, writer.upload_id))

    async def mark_for_deletion(self, tenant: str, upload_id: str) -> bool:
        """Hide an upload, to see whether it can be removed. Returns whether there is one."""

        def hide(record: UploadRecord) -> None:
            record.removing = True

        return await self._change(tenant, upload_id, hide)

    async def expire(self, tenant: str, upload_id: str) -> bool:
        """Hide an upload that is not finished and whose time is over. Returns whether it still is so."""

        def hide(record: UploadRecord) -> None:
            if record.state == Upload.STATE_READY or seconds_until(record.expire_time) >= 0:
                raise KeyError(upload_id)  # a writer has come back to it
            record.removing = True

        return await self._change(tenant, upload_id, hide)

    async def undelete(self, tenant: str, upload_id: str) -> None:
        """Show an upload again that was hidden: somebody needs it. It is asked again in `ready_ttl_seconds`."""

        def show(record: UploadRecord) -> None:
            record.removing = False
            if record.state == Upload.STATE_READY:
                record.expire_time.CopyFrom(in_seconds(self._ready_ttl_seconds))

        await self._change(tenant, upload_id, show)

    async def remove(self, tenant: str, upload_id: str) -> None:
        """Remove a hidden upload with its bytes. Nothing happens when somebody has shown it again meanwhile."""

        def end(record: UploadRecord) -> None:
            if not record.removing:
                raise KeyError(upload_id)
            record.state = Upload.STATE_FAILED

        if not await self._change(tenant, upload_id, end):
            return
        await self._blobs.delete(upload_key(tenant, upload_id))
        await self._records.delete(record_key(tenant, upload_id))
        log.info("upload_removed", tenant=tenant, upload=upload_id)

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
    """What a writer is told that was replaced."""
    message = "another call writes to the upload"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_UPLOAD_BUSY, message)


def _require_writer(record: UploadRecord, writer: UploadRecord) -> None:
    if record.removing:
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
    """What is said of an upload that is not there, or not the caller's."""
    return not_found(reasons.ERROR_REASON_UPLOAD_NOT_FOUND, f"there is no upload {upload_name(upload_id)!r}")
