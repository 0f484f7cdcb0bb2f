"""The messages on the audio log of a session."""

from tiro.events.v1.live_pb2 import LiveInput, SessionRecord
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer, StreamState

BUFFER_BYTES = 64 * 1024


async def stored(bus: Bus, record: SessionRecord) -> list[LiveInput]:
    """The messages on the audio log of a session, in order."""
    found = []
    async with OrderedConsumer(bus, topology.LIVE_AUDIO, subjects.live_audio(record.tenant, record.session_id)) as tail:
        async for entry in tail:
            if isinstance(entry, StreamState):
                break
            found.append(LiveInput.FromString(entry.data))
    return found
