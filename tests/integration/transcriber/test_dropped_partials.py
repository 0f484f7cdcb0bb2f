"""Partials and progress while NATS is away: they are dropped, and counted, and the session goes on."""

import asyncio
import itertools
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from tests.support.log_lines import logged
from tests.support.nats import running_nats
from tiro.events.v1.live_pb2 import SessionRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro_core.ids import new_id
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.errors import BusUnavailable
from tiro_core.messaging.operations import broadcast
from tiro_core.routing.suitability import NO_OPTIONS
from tiro_core.settings import CoreSettings
from tiro_engines.interface import Partial, Segment
from tiro_transcriber.pipeline.pipeline import Pipelines
from tiro_transcriber.pipeline.stage_threads import open_stage_threads
from tiro_transcriber.sessions.output import SessionOutput

FILLER_SIZES = (64 * 1024, 1024, 1)


async def fill(bus: Bus) -> None:
    """Fill what the client keeps for a server that is away, to the last byte."""
    for size in FILLER_SIZES:
        with pytest.raises(BusUnavailable):
            for _ in itertools.count():
                await broadcast(bus, "filler", bytes(size))


async def test_they_do_not_fit(tmp_path: Path, tenant: str) -> None:
    """The client keeps a number of bytes for NATS while it is away: other work may have taken them all."""
    with running_nats(tmp_path) as nats, logged("nats_disconnected") as away:
        settings = CoreSettings.model_validate({"nats_url": nats.url, "nats_monitor_url": nats.monitor_url})
        async with open_bus(settings, "test") as bus, open_stage_threads() as threads:
            output = SessionOutput(bus, SessionRecord(tenant=tenant, session_id=new_id(), sample_rate_hertz=16_000))
            output.use(RecognitionConfig(), await Pipelines(threads, []).open(RecognitionConfig(), NO_OPTIONS))
            await asyncio.to_thread(nats.kill)
            await away.wait()
            await fill(bus)
            before = dropped()
            await output.publish_progress(16_000)
            await output.publish([Partial(Segment(start=0, end=1, text="w1"))])
            assert dropped() == before + 2


def dropped() -> float:
    """How many were dropped so far."""
    return REGISTRY.get_sample_value("tiro_session_messages_dropped_total") or 0.0
