"""The position of a session's audio log: its end, as its last message states it."""

from dataclasses import dataclass

from tiro.events.v1.live_pb2 import LiveInput
from tiro_core.audio.pcm import SAMPLE_BYTES
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import NotFound
from tiro_core.messaging.operations import last_message
from tiro_core.messaging.publishing import with_patience

CONTROLS = ("finalize", "update_config", "refused_update")
"""The kinds of input that count as controls of the client."""


@dataclass(frozen=True, slots=True)
class LogPosition:
    """The end of an audio log. The default is an empty log."""

    samples: int = 0
    """The number of samples in the log."""
    controls: int = 0
    """The number of controls in the log."""
    sequence: int = 0
    """The sequence of the last message in the stream. 0: there is none."""
    ended: bool = False
    """Whether the last message is the end of the audio."""

    def after(self, message: LiveInput, sequence: int) -> "LogPosition":
        """The position after a message is stored with this sequence of the stream."""
        kind = message.WhichOneof("input")
        return LogPosition(
            samples=message.first_sample + len(message.pcm16) // SAMPLE_BYTES,
            controls=message.first_control + (kind in CONTROLS),
            sequence=sequence,
            ended=kind == "end",
        )


async def find_position(bus: Bus, tenant: str, session_id: str, *, patience_seconds: float = 0.0) -> LogPosition:
    """Read the position of a session's audio log.

    Args:
        bus: The connection.
        tenant: The tenant of the session.
        session_id: The id of the session.
        patience_seconds: How long the read is tried again while NATS is away.

    Raises:
        BusUnavailable: NATS did not answer.
    """
    subject = subjects.live_audio(tenant, session_id)
    try:
        newest = await with_patience(lambda: last_message(bus, topology.LIVE_AUDIO, subject), patience_seconds)
    except NotFound:
        return LogPosition()
    return LogPosition().after(LiveInput.FromString(newest.data), newest.sequence)
