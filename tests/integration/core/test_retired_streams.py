"""Streams of earlier versions, which a start of a service deletes."""

from pathlib import Path

from nats.js.api import StorageType, StreamConfig

from tests.support.nats import running_nats
from tiro_core.messaging.connection import open_bus
from tiro_core.messaging.streams.retired import RETIRED_STREAMS
from tiro_core.messaging.topology import ensure_streams
from tiro_core.settings import CoreSettings


async def test_retired_streams_are_deleted(tmp_path: Path) -> None:
    """Retired streams are deleted with their messages. A deployment without them starts, too."""
    with running_nats(tmp_path) as nats:
        settings = CoreSettings.model_validate({"nats_url": nats.url, "nats_monitor_url": nats.monitor_url})
        async with open_bus(settings, "test") as bus:
            await ensure_streams(bus, replicas=1)
            for name in RETIRED_STREAMS:
                config = StreamConfig(name=name, subjects=[f"retired.{name}"], storage=StorageType.MEMORY)
                await bus.jetstream.add_stream(config)
                await bus.jetstream.publish(f"retired.{name}", b"a partial")
            await ensure_streams(bus, replicas=1)
            left = {stream.config.name for stream in await bus.jetstream.streams_info()}
    assert left
    assert not left & set(RETIRED_STREAMS)
