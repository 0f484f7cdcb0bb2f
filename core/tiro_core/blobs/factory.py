"""Opening the blob store that the settings choose."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tiro_core.blobs.interface import BlobStore
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.blobs.s3_factory import open_s3_store
from tiro_core.messaging.connection import Bus
from tiro_core.settings import CoreSettings


@asynccontextmanager
async def open_blob_store(settings: CoreSettings, bus: Bus) -> AsyncIterator[BlobStore]:
    """The blob store, open while the context lasts.

    Raises:
        CannotStart: The bucket does not exist, or the credentials are wrong.
    """
    if settings.blob_store == "s3":
        yield await open_s3_store(settings, read_patience_seconds=bus.read_patience_seconds)
    else:
        yield JetStreamBlobStore(bus, is_replicated=settings.nats_replicas > 1)
