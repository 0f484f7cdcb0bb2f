"""Checking at the start of a service that a bucket can be used as a blob store."""

import asyncio
from functools import partial

from obstore.store import S3Store

from tiro_core.blobs.interface import NOTHING, PartConflict, Revision, StorageRefused, StorageUnavailable
from tiro_core.blobs.s3 import S3BlobStore
from tiro_core.blobs.s3_client import make_client
from tiro_core.ids import new_id
from tiro_core.logs.logger import get_logger
from tiro_core.settings import CoreSettings
from tiro_core.startup import CannotStart

CHECK_AGAIN_SECONDS = 2.0
"""How often a store that does not answer is tried again when a service starts."""
_CHECKS = "checks"
"""The key below which the check writes. It is no tenant's: their keys have an id after the tenant's name."""

log = get_logger()


async def open_s3_store(settings: CoreSettings, *, read_patience_seconds: float) -> S3BlobStore:
    """The bucket of the settings as a blob store, once the check has passed.

    Waits without a limit for a server that does not answer, as for NATS.

    Raises:
        CannotStart: The server refuses a request, or ignores the conditions of a write.
    """
    store = partial(S3BlobStore, _client(settings), settings.s3_prefix)
    await _until_usable(store(read_patience_seconds=0, write_patience_seconds=0), f"s3://{settings.s3_bucket}")
    return store(read_patience_seconds=read_patience_seconds)


def _client(settings: CoreSettings) -> S3Store:
    try:
        return make_client(settings, settings.s3_bucket)
    except ValueError as error:
        raise CannotStart(f"the S3 settings are not valid: {error}") from error


async def _until_usable(store: S3BlobStore, name: str) -> None:
    is_reported = False
    while True:
        try:
            await _require_usable(store)
        except StorageRefused as error:
            raise CannotStart(
                f"{name} cannot be used as the store of blobs: {error}; see TIRO_S3_BUCKET, TIRO_S3_ENDPOINT, "
                "TIRO_S3_REGION, AWS_ACCESS_KEY_ID"
            ) from error
        except StorageUnavailable as error:
            if not is_reported:
                log.warning("blobs_unavailable", store=name, reason=str(error), note="trying for as long as it takes")
            is_reported = True
        else:
            log.info("blobs_ready", store=name)
            return
        await asyncio.sleep(CHECK_AGAIN_SECONDS)


async def _require_usable(store: S3BlobStore) -> None:
    """Make every kind of request once that the store needs later.

    Raises:
        StorageRefused: A request is not allowed, or a conditional write was made although its condition did not hold.
        StorageUnavailable: The server does not answer.
    """
    key = f"{_CHECKS}.{new_id()}"
    await store.delete(key)
    await store.put_part_expecting(key, 0, b"first", revision=NOTHING)
    try:
        first = await store.part_revision(key, 0)
        await _require_conflict(store, key, NOTHING)
        await store.put_part_expecting(key, 0, b"first", revision=first)
        await _require_conflict(store, key, first)
    finally:
        await store.delete(key)


async def _require_conflict(store: S3BlobStore, key: str, revision: Revision) -> None:
    try:
        await store.put_part_expecting(key, 0, b"refused", revision=revision)
    except PartConflict:
        return
    raise StorageRefused(
        "it ignores If-None-Match or If-Match, so two writers could write over each other (docs/adr/0014)"
    )
