"""What a worker counts, and that NATS being away loses none of it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tests.support.nats import running_nats
from tiro_core.messaging import publishing
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.topology import ensure_streams
from tiro_core.routing.usage import list_usage
from tiro_core.settings import CoreSettings
from tiro_engines.interface import EngineSession
from tiro_transcriber.engine.usage_meter import open_usage_meter


@dataclass
class Sending:
    """What a meter sees of a session."""

    seconds_sent: float = 0.0


async def seconds(bus: Bus, tenant: str) -> float:
    """What is written."""
    return sum(record.seconds_sent for record in await list_usage(bus, tenant=tenant))


async def test_a_session_that_breaks_and_windows_are_counted(bus: Bus, tenant: str) -> None:
    """Each second once, by the end of the worker."""
    session = Sending()
    async with open_usage_meter(bus, "outside", 5.0) as meter:
        with pytest.raises(RuntimeError), meter.counting(tenant, cast("EngineSession", session)):
            session.seconds_sent = 2.0
            raise RuntimeError
        await asyncio.to_thread(meter.of(tenant), 3.0)
    assert await seconds(bus, tenant) == 5.0


async def test_nothing_is_written_where_nothing_is_sent(bus: Bus, tenant: str) -> None:
    """An engine that runs here costs no write."""
    async with open_usage_meter(bus, "here", 5.0) as meter:
        with meter.counting(tenant, cast("EngineSession", Sending())):
            pass
    assert await list_usage(bus, tenant=tenant) == []


async def test_nats_goes_and_comes_back(tmp_path: Path, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is written with what comes next."""
    monkeypatch.setattr(publishing, "PATIENCE_SECONDS", 1.0)
    with running_nats(tmp_path) as server:
        settings = CoreSettings.model_validate({"nats_url": server.url, "nats_monitor_url": server.monitor_url})
        async with open_bus(settings, "test", read_patience_seconds=1.0) as bus:
            await ensure_streams(bus, replicas=1)
            async with open_usage_meter(bus, "outside", 20.0) as meter:
                await asyncio.to_thread(server.kill)
                meter.of(tenant)(1.0)
                await meter._write()
                meter.of(tenant)(2.0)
                await asyncio.to_thread(server.start)
            assert await seconds(bus, tenant) == 3.0
