"""Uploads: writes, resumption, concurrent writers, limits and expiry."""

import asyncio
import hashlib
import uuid
from collections.abc import Callable

import grpc
import pytest
from google.rpc import error_details_pb2
from prometheus_client import REGISTRY

from tests.integration.ingest.conftest import (
    DEADLINE_SECONDS,
    MESSAGE_BYTES,
    Ingest,
    StartIngest,
    detail,
    messages,
    refused,
)
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1.upload_pb2 import Upload
from tiro.transcription.v1.upload_service_pb2 import (
    CreateUploadRequest,
    DeleteUploadRequest,
    GetUploadRequest,
    WriteUploadRequest,
)
from tiro_core.blobs.interface import PART_BYTES, PartMissing
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.blobs.keys import upload_key
from tiro_core.blobs.reader import read_parts
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import StoredMessage
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer
from tiro_core.messaging.records import Change, RecordStore
from tiro_core.messaging.subjects import record as record_key
from tiro_core.messaging.topology import BLOBS, UPLOADS_BUCKET

INVALID = grpc.StatusCode.INVALID_ARGUMENT
CONFLICT = grpc.StatusCode.FAILED_PRECONDITION


def _id(upload: Upload) -> str:
    return upload.name.removeprefix("uploads/")


async def test_a_finished_upload_is_described(ingest: Ingest, speech: bytes) -> None:
    """A finished upload has size, digest, container, codec, rate, channels and duration."""
    created = await ingest.create(size_bytes=len(speech))
    assert created.state == Upload.STATE_OPEN
    assert created.expire_time.ToSeconds() > created.create_time.ToSeconds()
    upload = await ingest.write(created.name, speech, sha256=hashlib.sha256(speech).hexdigest())
    assert upload.state == Upload.STATE_READY
    assert upload.sha256 == hashlib.sha256(speech).hexdigest()
    assert upload.committed_size == len(speech)
    assert (upload.audio.container, upload.audio.codec) == ("wav", "pcm_s16le")
    assert (upload.audio.sample_rate_hertz, upload.audio.channel_count) == (16_000, 1)
    assert upload.audio.duration.ToTimedelta().total_seconds() == pytest.approx(10.102, abs=0.01)
    assert upload.expire_time.ToSeconds() > created.expire_time.ToSeconds(), "a finished upload is kept for jobs"
    assert await ingest.get(upload.name) == upload


async def test_the_stored_bytes_are_those_that_were_sent(
    ingest: Ingest, bus: Bus, tenant: str, long_recording: bytes
) -> None:
    """The stored parts of an upload are the bytes that were sent."""
    upload = await ingest.upload(long_recording)
    blobs = JetStreamBlobStore(bus)
    stored = [part async for part in read_parts(blobs, upload_key(tenant, _id(upload)), upload.committed_size)]
    assert len(stored) == 5
    assert b"".join(stored) == long_recording


async def test_a_call_that_ends_without_finishing_leaves_the_upload_open(ingest: Ingest, long_recording: bytes) -> None:
    """Whole parts are kept, and the upload is resumed from them."""
    created = await ingest.create()
    upload = await ingest.write(created.name, long_recording[: 3 * PART_BYTES + 100], finish=False)
    assert (upload.state, upload.committed_size) == (Upload.STATE_OPEN, 3 * PART_BYTES)
    upload = await ingest.write(created.name, long_recording[3 * PART_BYTES :], offset=3 * PART_BYTES)
    assert upload.sha256 == hashlib.sha256(long_recording).hexdigest()


async def test_a_broken_stream_can_be_resumed(
    start_ingest: StartIngest, bus: Bus, tenant: str, long_recording: bytes
) -> None:
    """After a broken call the upload is resumed from the stored bytes."""
    # grpcio 1.85 loses a cancellation once in a while (grpc#43462): then the idle time ends the call.
    ingest = await start_ingest(upload_idle_seconds=3)
    created = await ingest.create()
    call = ingest.uploads.WriteUpload(**ingest.options)
    for message in messages(created.name, long_recording[: 2 * PART_BYTES + 5], finish=False):
        await call.write(message)
    await _stored(bus, tenant, created, part=1)
    call.cancel()
    record = await _record(bus, tenant, created, lambda record: record.committed_size > 0)
    assert record.committed_size == 2 * PART_BYTES
    rest = long_recording[record.committed_size :]
    upload = await ingest.write(created.name, rest, offset=record.committed_size)
    assert upload.sha256 == hashlib.sha256(long_recording).hexdigest()


async def test_a_service_that_stops_commits_stored_bytes(
    start_ingest: StartIngest, bus: Bus, tenant: str, long_recording: bytes
) -> None:
    """Writers get SHUTTING_DOWN at once, and can resume at another service from the committed size."""
    stopping = asyncio.Event()
    ingest = await start_ingest(stopping=stopping)
    created = await ingest.create()
    call = ingest.uploads.WriteUpload(**ingest.options)
    for message in messages(created.name, long_recording[: 2 * PART_BYTES], finish=False):
        await call.write(message)
    await _stored(bus, tenant, created, part=1)
    stopping.set()
    async with refused(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN"):
        await call
    other = await start_ingest()
    assert (await other.get(created.name)).committed_size == 2 * PART_BYTES


async def _stored(bus: Bus, tenant: str, upload: Upload, *, part: int) -> None:
    """Wait until a part is in the store."""
    subject = f"tiro.blob.{upload_key(tenant, _id(upload))}.{part}"
    async with asyncio.timeout(DEADLINE_SECONDS), OrderedConsumer(bus, BLOBS, subject) as consumer:
        async for entry in consumer:
            if isinstance(entry, StoredMessage):
                return


async def _record(bus: Bus, tenant: str, upload: Upload, wanted: Callable[[UploadRecord], bool]) -> UploadRecord:
    """Wait until the upload's record is as wanted."""
    records = RecordStore(bus, UPLOADS_BUCKET, UploadRecord)
    async with asyncio.timeout(DEADLINE_SECONDS), records.watch(record_key(tenant, _id(upload))) as changes:
        async for change in changes:
            if isinstance(change, Change) and change.value is not None and wanted(change.value):
                return change.value
    raise AssertionError("a watch has no end")


async def test_a_write_at_the_wrong_offset_is_refused(ingest: Ingest, speech: bytes) -> None:
    """The error has the committed size, and the upload is unchanged."""
    created = await ingest.create()
    async with refused(CONFLICT, "WRITE_OFFSET_MISMATCH") as errors:
        await ingest.write(created.name, speech, offset=10)
    assert detail(errors[0], error_details_pb2.ErrorInfo).metadata["committed_size"] == "0"
    assert (await ingest.write(created.name, speech)).state == Upload.STATE_READY


async def test_a_second_writer_replaces_the_first(ingest: Ingest, bus: Bus, tenant: str, long_recording: bytes) -> None:
    """The newer call finishes the upload. Later bytes of the older one are refused with UPLOAD_BUSY."""
    created = await ingest.create()
    older = ingest.uploads.WriteUpload(**ingest.options)
    await older.write(WriteUploadRequest(name=created.name, data=bytes(1000)))
    await _record(bus, tenant, created, lambda record: record.writer_epoch == 1)
    upload = await ingest.write(created.name, long_recording)
    async with refused(grpc.StatusCode.ABORTED, "UPLOAD_BUSY"):
        await older.write(WriteUploadRequest(data=bytes(PART_BYTES)))
        await older.done_writing()
        await older
    assert await ingest.get(created.name) == upload
    blobs = JetStreamBlobStore(bus)
    stored = [part async for part in read_parts(blobs, upload_key(tenant, _id(upload)), upload.committed_size)]
    assert hashlib.sha256(b"".join(stored)).hexdigest() == hashlib.sha256(long_recording).hexdigest()


async def test_uncommitted_parts_are_overwritten(ingest: Ingest, bus: Bus, tenant: str, long_recording: bytes) -> None:
    """Parts that a broken call has stored but not committed are not in the recording."""
    created = await ingest.create()
    blobs = JetStreamBlobStore(bus)
    for index in range(2):
        await blobs.put_part(upload_key(tenant, _id(created)), index, bytes(PART_BYTES))
    upload = await ingest.write(created.name, long_recording)
    assert upload.sha256 == hashlib.sha256(long_recording).hexdigest()


async def test_an_older_writer_of_an_open_upload_is_refused(
    ingest: Ingest, bus: Bus, tenant: str, long_recording: bytes
) -> None:
    """A replaced call gets UPLOAD_BUSY, and the newer writer is not affected."""
    created = await ingest.create()
    older = ingest.uploads.WriteUpload(**ingest.options)
    await older.write(WriteUploadRequest(name=created.name, data=long_recording[:1000]))
    await _record(bus, tenant, created, lambda record: record.writer_epoch == 1)
    newer = await ingest.write(created.name, long_recording[: 2 * PART_BYTES], finish=False)
    assert newer.committed_size == 2 * PART_BYTES
    async with refused(grpc.StatusCode.ABORTED, "UPLOAD_BUSY"):
        await older.write(WriteUploadRequest(data=long_recording[1000 : PART_BYTES + 1000]))
        await older.done_writing()
        await older
    upload = await ingest.write(created.name, long_recording[2 * PART_BYTES :], offset=2 * PART_BYTES)
    assert upload.sha256 == hashlib.sha256(long_recording).hexdigest()


async def test_bytes_over_the_limit_are_refused_during_the_call(
    start_ingest: StartIngest, bus: Bus, tenant: str, long_recording: bytes
) -> None:
    """Beyond the size limit the call ends at once, and stored bytes are deleted."""
    ingest = await start_ingest(upload_bytes_max=3 * PART_BYTES)
    created = await ingest.create()
    call = ingest.uploads.WriteUpload(**ingest.options)
    for message in messages(created.name, long_recording[: 3 * PART_BYTES + 1], finish=False):
        await call.write(message)
    async with refused(INVALID, "UPLOAD_TOO_LARGE") as errors:
        await call  # the call is not half-closed: it could send more
    assert detail(errors[0], error_details_pb2.ErrorInfo).metadata["upload_bytes_max"] == str(3 * PART_BYTES)
    upload = await ingest.get(created.name)
    assert upload.state == Upload.STATE_FAILED
    assert "may have" in upload.error.message
    with pytest.raises(PartMissing):
        await JetStreamBlobStore(bus).get_part(upload_key(tenant, _id(upload)), 0)


async def test_an_announced_size_beyond_the_limit_is_refused_at_once(start_ingest: StartIngest) -> None:
    """CreateUpload refuses a size beyond the limit with its field."""
    ingest = await start_ingest(upload_bytes_max=1000)
    async with refused(INVALID, "UPLOAD_TOO_LARGE") as errors:
        await ingest.create(size_bytes=1001)
    (violation,) = detail(errors[0], error_details_pb2.BadRequest).field_violations
    assert violation.field == "upload.size_bytes"


@pytest.mark.parametrize("announced", [1_000, 1_000_000])
async def test_another_size_than_announced_fails_the_upload(ingest: Ingest, speech: bytes, announced: int) -> None:
    """More bytes and fewer bytes than announced are both refused."""
    created = await ingest.create(size_bytes=announced)
    async with refused(INVALID, "UPLOAD_MISMATCH"):
        await ingest.write(created.name, speech[:MESSAGE_BYTES])
    assert (await ingest.get(created.name)).state == Upload.STATE_FAILED


async def test_another_digest_than_announced_fails_the_upload(ingest: Ingest, speech: bytes) -> None:
    """Bytes with another digest than announced fail the upload."""
    created = await ingest.create()
    async with refused(INVALID, "UPLOAD_MISMATCH"):
        await ingest.write(created.name, speech, sha256=hashlib.sha256(b"other").hexdigest())
    assert (await ingest.get(created.name)).state == Upload.STATE_FAILED


async def test_a_finished_upload_cannot_be_written(ingest: Ingest, speech: bytes) -> None:
    """A write to a READY upload is refused, and the upload is unchanged."""
    upload = await ingest.upload(speech)
    async with refused(CONFLICT, "UPLOAD_FINISHED"):
        await ingest.write(upload.name, b"more", offset=upload.committed_size)
    assert await ingest.get(upload.name) == upload


async def test_an_unknown_upload_is_not_found(ingest: Ingest) -> None:
    """Reads and writes of an unknown upload are NOT_FOUND."""
    name = f"uploads/{uuid.uuid4()}"
    async with refused(grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND"):
        await ingest.get(name)
    async with refused(grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND"):
        await ingest.write(name, b"bytes")


async def test_another_tenants_upload_is_not_found(ingest: Ingest, stranger: Ingest, speech: bytes) -> None:
    """Another tenant's upload cannot be read, written or transcribed."""
    upload = await ingest.upload(speech)
    async with refused(grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND"):
        await stranger.get(upload.name)
    async with refused(grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND"):
        await stranger.write(upload.name, b"bytes", offset=upload.committed_size)
    async with refused(grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND"):
        await stranger.transcribe(upload=upload.name)


async def test_a_repeated_request_id_gives_the_same_upload(ingest: Ingest) -> None:
    """A repeated request returns the same upload. With other fields it is refused."""
    first = await ingest.create(size_bytes=5, request_id="mine")
    assert await ingest.create(size_bytes=5, request_id="mine") == first
    async with refused(INVALID, "REQUEST_ID_REUSED"):
        await ingest.create(size_bytes=6, request_id="mine")
    assert (await ingest.create(size_bytes=5, request_id="other")).name != first.name


async def test_the_first_message_must_name_the_upload(ingest: Ingest) -> None:
    """A call without messages, and one without a name, are refused with the field."""
    for requests in ([], [WriteUploadRequest(data=b"bytes")]):
        async with refused(INVALID, "INVALID_REQUEST") as errors:
            await ingest.uploads.WriteUpload(requests, **ingest.options)
        (violation,) = detail(errors[0], error_details_pb2.BadRequest).field_violations
        assert violation.field == "name"


async def test_requests_that_break_a_rule_name_the_field(ingest: Ingest) -> None:
    """The rules of the protos are enforced in unary calls and in streams."""
    upload = Upload(display_name="x" * 256)
    async with refused(INVALID, "INVALID_REQUEST") as errors:
        await ingest.uploads.CreateUpload(CreateUploadRequest(upload=upload), **ingest.options)
    assert detail(errors[0], error_details_pb2.BadRequest).field_violations[0].field == "upload.display_name"
    async with refused(INVALID, "INVALID_REQUEST"):
        await ingest.uploads.GetUpload(GetUploadRequest(name="uploads/../etc"), **ingest.options)
    async with refused(INVALID, "INVALID_REQUEST"):
        await ingest.write((await ingest.create()).name, b"", sha256="no digest")


async def test_a_silent_writer_is_ended(start_ingest: StartIngest) -> None:
    """A call without a message within the idle time ends with SESSION_IDLE, and the upload stays open."""
    ingest = await start_ingest(upload_idle_seconds=0.2)
    created = await ingest.create()
    call = ingest.uploads.WriteUpload(**ingest.options)
    await call.write(WriteUploadRequest(name=created.name))
    async with refused(grpc.StatusCode.ABORTED, "SESSION_IDLE"):
        await call
    assert (await ingest.get(created.name)).state == Upload.STATE_OPEN


async def test_without_free_space_nothing_is_accepted(start_ingest: StartIngest, speech: bytes) -> None:
    """With less free space than the reserve, calls get STORAGE_FULL with a retry delay."""
    ingest = await start_ingest(storage_reserve_bytes=2**60)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL") as errors:
        await ingest.create()
    assert detail(errors[0], error_details_pb2.RetryInfo).retry_delay.seconds > 0
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL"):
        await ingest.transcribe(content=speech)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL"):
        await ingest.write(f"uploads/{uuid.uuid4()}", b"bytes")


def _read_back() -> float:
    """The number of uploads that were read back from the store."""
    return REGISTRY.get_sample_value("tiro_ingest_uploads_read_back_total") or 0.0


async def test_an_upload_of_one_call_is_not_read_back(ingest: Ingest, long_recording: bytes) -> None:
    """An upload of one call is hashed and probed as it is received. One of several calls is read back."""
    before = _read_back()
    upload = await ingest.upload(long_recording)
    assert upload.sha256 == hashlib.sha256(long_recording).hexdigest()
    assert _read_back() == before
    created = await ingest.create()
    await ingest.write(created.name, long_recording[:PART_BYTES], finish=False)
    upload = await ingest.write(created.name, long_recording[PART_BYTES:], offset=PART_BYTES)
    assert upload.sha256 == hashlib.sha256(long_recording).hexdigest()
    assert _read_back() == before + 1


async def test_an_upload_beyond_the_spool_is_read_back(start_ingest: StartIngest, long_recording: bytes) -> None:
    """An upload beyond the limit of the spool is read back from the store."""
    ingest = await start_ingest(spool_bytes_max=2 * PART_BYTES)
    before = _read_back()
    upload = await ingest.upload(long_recording)
    assert upload.sha256 == hashlib.sha256(long_recording).hexdigest()
    assert _read_back() == before + 1


async def test_a_slow_upload_does_not_expire(
    start_ingest: StartIngest, bus: Bus, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The expiry time of an upload is renewed as bytes are received, even before a part is complete."""
    monkeypatch.setattr("tiro_ingest.uploads.store.RENEWAL_SECONDS_MAX", 0)
    ingest = await start_ingest()
    created = await ingest.create()
    call = ingest.uploads.WriteUpload(**ingest.options)
    await call.write(WriteUploadRequest(name=created.name, data=b"some"))
    first = await _record(bus, tenant, created, lambda record: record.writer_epoch == 1)
    await call.write(WriteUploadRequest(data=b"more"))
    later = await _record(
        bus, tenant, created, lambda record: record.expire_time.ToNanoseconds() > first.expire_time.ToNanoseconds()
    )
    assert later.committed_size == 0
    call.cancel()


async def test_a_request_id_can_be_used_again_once_its_upload_is_deleted(ingest: Ingest) -> None:
    """After the deletion the same `request_id` creates another upload."""
    first = await ingest.create(request_id="mine")
    await ingest.uploads.DeleteUpload(DeleteUploadRequest(name=first.name), **ingest.options)
    second = await ingest.create(request_id="mine")
    assert second.name != first.name
    assert await ingest.create(request_id="mine") == second
