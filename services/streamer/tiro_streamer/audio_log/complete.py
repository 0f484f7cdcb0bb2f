"""The sink of a session whose audio has ended: a client that resumes such a session can only read."""

from google.rpc.status_pb2 import Status

from tiro.streaming.v1.streaming_pb2 import UpdateConfig
from tiro_streamer.audio_log.position import LogPosition
from tiro_streamer.errors import audio_has_ended


class CompleteAudioLog:
    """Refuses audio, and ignores controls: those of the client were stored before the end."""

    def __init__(self, position: LogPosition) -> None:
        """`position` is the end of the log."""
        self.position = position
        self.accepted_samples = position.samples

    async def write(self, pcm16: bytes) -> None:  # noqa: ARG002 - all audio is refused
        """Refuse the audio.

        Raises:
            TiroError: SESSION_AUDIO_ENDED.
        """
        raise audio_has_ended()

    async def finalize(self) -> None:
        """Do nothing: see the class."""

    async def update_config(self, update: UpdateConfig) -> None:
        """Do nothing: see the class."""

    async def refuse_update(self, error: Status) -> None:
        """Do nothing: see the class."""

    async def end(self) -> None:
        """Do nothing: the end is stored already."""
