"""The S3 store: pages of keys, damaged parts, outages, credentials, and objects in other buckets."""

import asyncio
from pathlib import Path

import obstore
import pytest

from tests.support.s3 import BUCKET, READER_KEY, S3Server, running_s3
from tiro_core.blobs.factory import open_blob_store
from tiro_core.blobs.interface import NOTHING, PartMissing, StorageRefused, StorageUnavailable
from tiro_core.blobs.s3 import KEYS_DELETED_AT_ONCE, S3BlobStore
from tiro_core.blobs.s3_client import make_client
from tiro_core.blobs.s3_objects import RANGE_BYTES, open_object
from tiro_core.errors import TiroError, reason_name
from tiro_core.messaging.connection import Bus
from tiro_core.settings import CoreSettings
from tiro_core.startup import CannotStart

ELSEWHERE = "elsewhere"


@pytest.fixture
def settings(core_settings: CoreSettings, s3_server: S3Server) -> CoreSettings:
    """Settings of the S3 server, with two buckets from which jobs may fetch."""
    return core_settings.model_copy(update={**s3_server.settings, "fetch_s3_buckets": f"other, {ELSEWHERE}"})


def _store(settings: CoreSettings) -> S3BlobStore:
    return S3BlobStore(make_client(settings, settings.s3_bucket), "", read_patience_seconds=0)


async def test_a_blob_with_many_parts_is_deleted(settings: CoreSettings, tenant: str) -> None:
    """A deletion covers all pages of a listing."""
    client = make_client(settings, BUCKET)
    count = KEYS_DELETED_AT_ONCE + 200
    await asyncio.gather(*(obstore.put_async(client, f"{tenant}/blob/{index}", b"x") for index in range(count)))
    await _store(settings).delete(f"{tenant}.blob")
    assert await obstore.list(client, tenant).collect_async() == []


@pytest.mark.parametrize("damaged", [b"", b"short", bytes(100)])
async def test_a_damaged_part_raises(settings: CoreSettings, tenant: str, damaged: bytes) -> None:
    """A part with other bytes than were stored raises PartMissing."""
    await obstore.put_async(make_client(settings, BUCKET), f"{tenant}/blob/0", damaged)
    with pytest.raises(PartMissing, match="damaged"):
        await _store(settings).get_part(f"{tenant}.blob", 0)


async def test_a_conditional_write_whose_answer_was_lost_succeeds(
    settings: CoreSettings, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The repeated write is refused because of the first one, and recognizes its own bytes."""
    put, calls = obstore.put_async, 0

    async def put_and_lose(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        result = await put(*arguments, **options)  # type: ignore[arg-type] # as it was called
        if calls == 1:
            raise obstore.exceptions.GenericError("the answer was lost")
        return result

    monkeypatch.setattr(obstore, "put_async", put_and_lose)
    await _store(settings).put_part_expecting(f"{tenant}.blob", 0, b"once", revision=NOTHING)
    assert calls == 2
    assert await _store(settings).get_part(f"{tenant}.blob", 0) == b"once"


async def test_an_unavailable_server(core_settings: CoreSettings, s3_server: S3Server, tmp_path: Path) -> None:
    """A read without retries raises StorageUnavailable at once. A write succeeds once the server is back."""
    with running_s3(tmp_path) as own:
        store = _store(core_settings.model_copy(update=own.settings))
        await store.put_part("t.blob", 0, b"before")
        own.kill()
        with pytest.raises(StorageUnavailable):
            await store.get_part("t.blob", 0)
        writing = asyncio.create_task(store.put_part("t.blob", 1, b"meanwhile"))
        await asyncio.to_thread(own.start)
        await writing
        assert await store.get_part("t.blob", 0) == b"before"
        assert await store.get_part("t.blob", 1) == b"meanwhile"


async def test_a_missing_bucket(settings: CoreSettings, bus: Bus) -> None:
    """A missing bucket raises CannotStart at the start. Later it raises StorageRefused, not PartMissing."""
    gone = settings.model_copy(update={"s3_bucket": "no-such-bucket"})
    with pytest.raises(CannotStart, match=r"s3://no-such-bucket .*NoSuchBucket"):
        async with open_blob_store(gone, bus):
            pass
    with pytest.raises(StorageRefused):
        await _store(gone).get_part("t.blob", 0)


@pytest.mark.parametrize(
    ("credential", "code"),
    [
        (("AWS_SECRET_ACCESS_KEY", "wrong-secret"), "SignatureDoesNotMatch"),
        (("AWS_ACCESS_KEY_ID", "unknown"), "InvalidAccessKeyId"),
        (("AWS_ACCESS_KEY_ID", READER_KEY), "AccessDenied"),
    ],
)
async def test_wrong_credentials(
    settings: CoreSettings, bus: Bus, monkeypatch: pytest.MonkeyPatch, credential: tuple[str, str], code: str
) -> None:
    """Wrong credentials raise CannotStart with the server's code, without the credentials."""
    monkeypatch.setenv(*credential)
    with pytest.raises(CannotStart, match=code) as caught:
        async with open_blob_store(settings, bus):
            pass
    assert credential[1] not in str(caught.value)


async def test_an_object_is_read_from_any_offset(settings: CoreSettings, s3_server: S3Server, tenant: str) -> None:
    """An object with a key of special characters is read in several ranges, from any offset."""
    assert s3_server.make_bucket(ELSEWHERE)
    key, data = f"{tenant}/ä recording (1)+.wav", bytes(range(256)) * (RANGE_BYTES // 200)
    await obstore.put_async(make_client(settings, ELSEWHERE), key, data)
    found = await open_object(settings, ELSEWHERE, key)
    assert found.size == len(data) > RANGE_BYTES
    assert b"".join([piece async for piece in found.read()]) == data
    assert b"".join([piece async for piece in found.read(RANGE_BYTES - 1)]) == data[RANGE_BYTES - 1 :]
    assert [piece async for piece in found.read(found.size)] == []


async def test_an_object_that_is_replaced_while_it_is_read(
    settings: CoreSettings, s3_server: S3Server, tenant: str
) -> None:
    """An object that is replaced during a read raises, so that two recordings are not mixed."""
    assert s3_server.make_bucket(ELSEWHERE)
    client = make_client(settings, ELSEWHERE)
    await obstore.put_async(client, tenant, b"a" * 10)
    found = await open_object(settings, ELSEWHERE, tenant)
    await obstore.put_async(client, tenant, b"b" * 10)
    with pytest.raises(TiroError) as caught:
        [piece async for piece in found.read()]
    assert caught.value.metadata == {"http_status": "412"}


@pytest.mark.parametrize(
    ("bucket", "key", "reason"),
    [
        (BUCKET, "tenant/upload/audio/0", "URI_FORBIDDEN"),
        ("unlisted", "key", "URI_FORBIDDEN"),
        ("", "key", "URI_FORBIDDEN"),
        (ELSEWHERE, "nothing-here", "URI_HTTP_ERROR"),
        ("other", "no-such-bucket", "URI_HTTP_ERROR"),
        (ELSEWHERE, "a/../b", "URI_INVALID"),
        (ELSEWHERE, "a//b", "URI_INVALID"),
    ],
)
async def test_objects_that_cannot_be_read(
    settings: CoreSettings, s3_server: S3Server, bucket: str, key: str, reason: str
) -> None:
    """Objects that cannot be read raise their reasons. The bucket of blobs is forbidden."""
    assert s3_server.make_bucket(ELSEWHERE)
    with pytest.raises(TiroError) as caught:
        await open_object(settings, bucket, key)
    assert reason_name(caught.value.reason) == reason
