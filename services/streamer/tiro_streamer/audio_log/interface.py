"""Where the audio and the controls of a client go."""

from typing import Protocol

from tiro.streaming.v1.streaming_pb2 import UpdateConfig
from tiro_streamer.audio_log.position import LogPosition


class AudioSink(Protocol):
    """Takes the input of one client, in order."""

    position: LogPosition
    """What is stored."""

    @property
    def accepted_samples(self) -> int:
        """Samples of the session that were taken so far, over all its connections, whether or not they are stored."""

    async def write(self, pcm16: bytes) -> None:
        """Take little-endian samples."""

    async def finalize(self) -> None:
        """Take a request to make all audio so far final."""

    async def update_config(self, update: UpdateConfig) -> None:
        """Take a change of the configuration from here on."""

    async def end(self) -> None:
        """Take the end of the audio. Nothing may follow it."""
