"""Checks of storage before an upload is accepted: limits of the account, and streams that cannot be written."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from nats.errors import TimeoutError as NatsTimeoutError

from tests.integration.ingest.conftest import Ingest, refused, running_ingest
from tests.support.cluster.nats import running_cluster
from tests.support.nats import running_nats
from tiro_core.messaging.connection import open_bus
from tiro_core.settings import CoreSettings
from tiro_ingest.settings import IngestSettings

MIB = 1024 * 1024
ACCOUNT_MIB = 40
DISK_MIB = 64


@asynccontextmanager
async def _ingest(url: str, monitor_url: str) -> AsyncIterator[Ingest]:
    settings = IngestSettings.model_validate(
        {
            "nats_url": url,
            "nats_monitor_url": monitor_url,
            "ingest_address": "127.0.0.1:0",
            "ingest_metrics_address": "",
            "storage_reserve_bytes": 0,
            "auth": "off",
        }
    )
    async with running_ingest(settings, asyncio.Event()) as (channel, port):
        yield Ingest(channel, port, key="")


async def test_an_upload_beyond_the_limit_of_the_account(tmp_path: Path) -> None:
    """An upload beyond the account's limit is refused with STORAGE_FULL, although the server has space."""
    with running_nats(tmp_path, account_bytes_max=ACCOUNT_MIB * MIB) as nats:
        async with _ingest(nats.url, nats.monitor_url) as ingest:
            async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL"):
                await ingest.create(size_bytes=2 * ACCOUNT_MIB * MIB)
            assert (await ingest.create(size_bytes=ACCOUNT_MIB * MIB // 2)).name


async def test_streams_that_cannot_be_written(tmp_path: Path) -> None:
    """After a full disk nats-server writes no stream: callers get STORAGE_UNAVAILABLE at once, not a timeout."""
    with running_cluster(tmp_path, size=1, disk_mib=DISK_MIB) as single:
        await single.wait_until_healthy()
        [monitor_url], [disk] = single.monitor_urls, single.disks
        async with _ingest(single.url, monitor_url) as ingest:
            assert (await ingest.create()).name
            disk.fill()
            settings = CoreSettings.model_validate({"nats_url": single.url, "nats_monitor_url": monitor_url})
            async with open_bus(settings, "test") as bus:
                with pytest.raises(NatsTimeoutError):
                    for _ in range(DISK_MIB):
                        await bus.jetstream.publish("tiro.blob.test.storage.0", bytes(MIB // 2))
            disk.free()
            async with refused(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"):
                while True:  # the state of the server is read every few seconds
                    await ingest.create()
