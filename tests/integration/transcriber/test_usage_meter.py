"""The usage meter of a worker, also during an outage of NATS."""

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
    """The part of a session that a meter reads."""

    seconds_sent: float = 0.0


async def seconds(bus: Bus, tenant: str) -> float:
    """The written seconds of a tenant."""
    return sum(record.seconds_sent for record in await list_usage(bus, tenant=tenant))


async def test_a_session_that_breaks_and_windows_are_counted(bus: Bus, tenant: str) -> None:
    """Seconds of a failed session and of windows are counted once, and written by the end of the meter."""
    session = Sending()
    async with open_usage_meter(bus, "cloud", 5.0) as meter:
        with pytest.raises(RuntimeError), meter.counting(tenant, cast("EngineSession", session)):
            session.seconds_sent = 2.0
            raise RuntimeError
        await asyncio.to_thread(meter.of(tenant), 3.0)
    assert await seconds(bus, tenant) == 5.0


async def test_no_usage_is_written_if_no_audio_was_sent(bus: Bus, tenant: str) -> None:
    """A local engine, which sends no audio, writes no usage."""
    async with open_usage_meter(bus, "local", 5.0) as meter:
        with meter.counting(tenant, cast("EngineSession", Sending())):
            pass
    assert await list_usage(bus, tenant=tenant) == []


async def test_usage_survives_an_outage_of_nats(tmp_path: Path, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Usage that could not be written is written with the next one."""
    monkeypatch.setattr(publishing, "PATIENCE_SECONDS", 1.0)
    with running_nats(tmp_path) as server:
        settings = CoreSettings.model_validate({"nats_url": server.url, "nats_monitor_url": server.monitor_url})
        async with open_bus(settings, "test", read_patience_seconds=1.0) as bus:
            await ensure_streams(bus, replicas=1)
            async with open_usage_meter(bus, "cloud", 20.0) as meter:
                await asyncio.to_thread(server.kill)
                meter.of(tenant)(1.0)
                await meter._write()
                meter.of(tenant)(2.0)
                await asyncio.to_thread(server.start)
            assert await seconds(bus, tenant) == 3.0
