"""How far a session's audio line is written."""

from dataclasses import dataclass

from tiro.events.v1.live_pb2 import LiveInput
from tiro_core.audio.pcm import SAMPLE_BYTES
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import NotFound
from tiro_core.messaging.operations import last_message
from tiro_core.messaging.publishing import with_patience

CONTROLS = ("finalize", "update_config")
"""What a client asks for, and counts."""


@dataclass(frozen=True, slots=True)
class LogPosition:
    """The end of a line."""

    samples: int = 0
    controls: int = 0
    sequence: int = 0
    """Of the last message, in the stream. 0: there is none."""
    ended: bool = False
    """Nothing comes after it."""

    def after(self, message: LiveInput, sequence: int) -> "LogPosition":
        """The end once this message is on the line."""
        kind = message.WhichOneof("input")
        return LogPosition(
            samples=message.first_sample + len(message.pcm16) // SAMPLE_BYTES,
            controls=message.first_control + (kind in CONTROLS),
            sequence=sequence,
            ended=kind == "end",
        )


async def find_position(bus: Bus, tenant: str, session_id: str, *, patience_seconds: float = 0.0) -> LogPosition:
    """Where the audio log of a session ends, by its last message.

    Args:
        bus: The connection.
        tenant: Whose session it is.
        session_id: Which session.
        patience_seconds: How long to try again while NATS is away.

    Raises:
        BusUnavailable: NATS stayed away.
    """
    subject = subjects.live_audio(tenant, session_id)
    try:
        newest = await with_patience(lambda: last_message(bus, topology.LIVE_AUDIO, subject), patience_seconds)
    except NotFound:
        return LogPosition()
    return LogPosition().after(LiveInput.FromString(newest.data), newest.sequence)
