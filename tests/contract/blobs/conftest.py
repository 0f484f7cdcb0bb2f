"""Stores of the contract suite, opened as a service opens them, on their real servers."""

from collections.abc import AsyncIterator

import pytest

from tests.support.s3 import S3Server
from tiro_core.blobs.factory import open_blob_store
from tiro_core.blobs.interface import BlobStore
from tiro_core.messaging.connection import Bus
from tiro_core.settings import CoreSettings


@pytest.fixture(params=["jetstream", "s3"])
async def blobs(
    request: pytest.FixtureRequest, core_settings: CoreSettings, bus: Bus, s3_server: S3Server
) -> AsyncIterator[BlobStore]:
    """Each store in turn."""
    settings = core_settings
    if request.param == "s3":
        settings = settings.model_copy(update={**s3_server.settings, "s3_prefix": "contract/"})
    async with open_blob_store(settings, bus) as store:
        yield store
