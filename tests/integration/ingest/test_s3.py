"""Ingest with its recordings in an S3-compatible store."""

import asyncio
import hashlib
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2

from tests.integration.ingest.conftest import Ingest, StartIngest, detail, refused
from tests.support.s3 import S3Server, running_s3
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.interface import NOTHING, PART_BYTES, BlobStore, Revision
from tiro_core.blobs.keys import upload_key
from tiro_core.blobs.s3 import S3BlobStore
from tiro_core.blobs.s3_client import make_client
from tiro_core.errors import TiroError
from tiro_core.messaging.connection import Bus
from tiro_core.settings import CoreSettings
from tiro_ingest.uploads.spool import SpoolSpace, UploadSpool
from tiro_ingest.uploads.store import Uploads
from tiro_ingest.uploads.writer import UploadWriter


@pytest.fixture
async def ingest(start_ingest: StartIngest, s3_server: S3Server) -> Ingest:
    """A client of an ingest with an S3 bucket."""
    return await start_ingest(**s3_server.settings)


def _store(server: S3Server) -> S3BlobStore:
    settings = CoreSettings.model_validate(server.settings)
    return S3BlobStore(make_client(settings, settings.s3_bucket), "", read_patience_seconds=0)


async def test_an_upload_is_resumed(ingest: Ingest, long_recording: bytes) -> None:
    """An upload is resumed from its last committed part."""
    created = await ingest.create()
    broken = await ingest.write(created.name, long_recording[: 2 * PART_BYTES + 10], finish=False)
    assert broken.committed_size == 2 * PART_BYTES
    upload = await ingest.write(created.name, long_recording[2 * PART_BYTES :], offset=2 * PART_BYTES)
    assert upload.state == Upload.STATE_READY
    assert upload.sha256 == hashlib.sha256(long_recording).hexdigest()


class _OvertakenStore:
    """A store in which another writer's part is stored between the read of a revision and the write that expects it."""

    def __init__(self, store: BlobStore, overtake: bytes) -> None:
        self._store = store
        self._overtake = overtake

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def put_part_expecting(self, key: str, index: int, data: bytes, *, revision: Revision) -> None:
        if revision != NOTHING:
            await self._store.put_part_expecting(key, index, self._overtake, revision=revision)
        await self._store.put_part_expecting(key, index, data, revision=revision)


async def test_an_older_writer_is_refused_although_the_bytes_are_equal(
    s3_server: S3Server, bus: Bus, tenant: str
) -> None:
    """A writer that stalls before it replaces a part is refused if the same bytes were stored again meanwhile.

    With an ETag that S3 computes from the bytes alone the older writer would replace the newer one's part.
    """
    store = _store(s3_server)
    uploads = Uploads(bus, store, ttl_seconds=60, ready_ttl_seconds=60)
    record = await uploads.create(tenant, "upload", display_name="", size_bytes=0)
    record = await uploads.begin_writing(tenant, "upload", 0)
    same, stale = b"s" * PART_BYTES, b"o" * PART_BYTES
    await store.put_part(upload_key(tenant, "upload"), 0, same)
    overtaken: BlobStore = _OvertakenStore(store, same)  # type: ignore[assignment] # the rest is the store's
    spool = UploadSpool(SpoolSpace(None, bytes_max=0))
    writer = UploadWriter(uploads, overtaken, record, spool, bytes_max=10 * PART_BYTES)
    with pytest.raises(TiroError, match="UPLOAD_BUSY"):
        async with writer:
            await writer.write(stale)
            await writer.finish()
    assert await store.get_part(upload_key(tenant, "upload"), 0) == same


async def test_an_unavailable_store_is_reported(
    start_ingest: StartIngest, s3_server: S3Server, tmp_path: Path, long_recording: bytes
) -> None:
    """A caller gets STORAGE_UNAVAILABLE with a retry delay, and can finish the upload later."""
    with running_s3(tmp_path) as own:
        ingest = await start_ingest(**own.settings)
        name = (await ingest.create()).name
        await ingest.write(name, long_recording[: 3 * PART_BYTES], finish=False)
        own.kill()
        async with refused(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE") as errors:
            await ingest.write(name, b"", offset=3 * PART_BYTES)
        assert detail(errors[0], error_details_pb2.RetryInfo).HasField("retry_delay")
        await asyncio.to_thread(own.start)
        upload = await ingest.write(name, long_recording[3 * PART_BYTES :], offset=3 * PART_BYTES)
        assert upload.sha256 == hashlib.sha256(long_recording).hexdigest()


async def test_recordings_do_not_count_for_space_in_nats(
    start_ingest: StartIngest, s3_server: S3Server, speech: bytes
) -> None:
    """With S3 the size of a recording is not checked against NATS. The reserve for records still is."""
    ingest = await start_ingest(**s3_server.settings)
    assert (await ingest.create(size_bytes=2 * 1024**3)).state == Upload.STATE_OPEN
    full = await start_ingest(**s3_server.settings, storage_reserve_bytes=2**60)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL"):
        await full.create()
