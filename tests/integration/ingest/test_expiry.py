"""Expiry of uploads, and of parts."""

import asyncio
import hashlib

import grpc
import pytest

from tests.integration.ingest.conftest import DEADLINE_SECONDS, Ingest, StartIngest, refused
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import DeleteTranscriptionRequest
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.interface import PART_BYTES, PartMissing
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.blobs.keys import upload_key
from tiro_core.clock import in_seconds
from tiro_core.ids import new_id
from tiro_core.jobs.states import State
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import Change, RecordStore
from tiro_core.messaging.subjects import record as record_key
from tiro_core.messaging.topology import JOBS_BUCKET, UPLOADS_BUCKET

TTL_SECONDS = 3.0
"""Longer than a test needs for an upload on a busy machine."""


async def _gone(bus: Bus, tenant: str, upload: Upload) -> None:
    """Wait until an upload's record is deleted."""
    records = RecordStore(bus, UPLOADS_BUCKET, UploadRecord)
    key = record_key(tenant, upload.name.removeprefix("uploads/"))
    async with asyncio.timeout(DEADLINE_SECONDS), records.watch(key) as changes:
        async for change in changes:
            if isinstance(change, Change) and change.value is None:
                return


async def test_an_abandoned_upload_expires(
    start_ingest: StartIngest, bus: Bus, tenant: str, long_recording: bytes
) -> None:
    """Record and parts of an abandoned upload are deleted after its time."""
    ingest = await start_ingest(upload_ttl_seconds=TTL_SECONDS, maintenance_interval_seconds=0.1)
    created = await ingest.create()
    written = await ingest.write(created.name, long_recording[: 2 * PART_BYTES], finish=False)
    assert written.expire_time.ToNanoseconds() > created.expire_time.ToNanoseconds()
    await _gone(bus, tenant, created)
    async with refused(grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND"):
        await ingest.get(created.name)
    for index in range(2):
        with pytest.raises(PartMissing):
            await JetStreamBlobStore(bus).get_part(upload_key(tenant, created.name.removeprefix("uploads/")), index)


async def test_a_failed_upload_expires_and_a_ready_one_stays(
    start_ingest: StartIngest, bus: Bus, tenant: str, speech: bytes
) -> None:
    """A failed upload can be read until it expires. A READY one has no short expiry time."""
    ingest: Ingest = await start_ingest(upload_ttl_seconds=TTL_SECONDS, maintenance_interval_seconds=0.1)
    ready = await ingest.upload(speech)
    failed = await ingest.create()
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "EMPTY_AUDIO"):
        await ingest.write(failed.name, b"")
    assert (await ingest.get(failed.name)).state == Upload.STATE_FAILED
    await _gone(bus, tenant, failed)
    assert (await ingest.get(ready.name)).sha256 == hashlib.sha256(speech).hexdigest()


async def test_parts_are_kept_as_long_as_their_job(ingest: Ingest, bus: Bus, tenant: str) -> None:
    """Parts do not expire before their job, with which they are deleted.

    The worker that merges them may be replaced, and the next one starts with the first part.
    """
    records = RecordStore(bus, JOBS_BUCKET, TranscriptionRecord)
    blobs = JetStreamBlobStore(bus)
    job, expired = new_id(), new_id()
    part = f"{job}.00000"
    await blobs.put_part(upload_key(tenant, part), 0, b"audio")
    long_ago = in_seconds(-7 * 24 * 3600)
    running = TranscriptionRecord(state=State.STATE_RUNNING, split=True, attempts=[Transcription.Attempt()])
    over = TranscriptionRecord(state=State.STATE_SUCCEEDED, expire_time=long_ago, audio_expire_time=long_ago)
    for record_id, record in ((job, running), (part, over), (expired, over)):
        written = TranscriptionRecord(tenant=tenant, transcription_id=record_id, upload_id=record_id)
        written.MergeFrom(record)
        if record_id == part:
            written.part.samples = 1
        await records.create(record_key(tenant, record_id), written)
    await _deleted(records, record_key(tenant, expired))
    assert await records.get(record_key(tenant, part)) is not None
    assert await blobs.get_part(upload_key(tenant, part), 0) == b"audio"
    name = f"transcriptions/{job}"
    await ingest.jobs.DeleteTranscription(DeleteTranscriptionRequest(name=name), **ingest.options)
    assert await records.get(record_key(tenant, part)) is None
    with pytest.raises(PartMissing):
        await blobs.get_part(upload_key(tenant, part), 0)


async def _deleted(records: RecordStore[TranscriptionRecord], key: str) -> None:
    """Wait until a job's record is deleted."""
    async with asyncio.timeout(DEADLINE_SECONDS), records.watch(key) as changes:
        async for change in changes:
            if isinstance(change, Change) and change.value is None:
                return
