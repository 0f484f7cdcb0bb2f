"""The protocol of sinks for the audio and the controls of a client."""

from typing import Protocol

from google.rpc.status_pb2 import Status

from tiro.streaming.v1.streaming_pb2 import UpdateConfig
from tiro_streamer.audio_log.position import LogPosition


class AudioSink(Protocol):
    """Accepts the input of one client, in order."""

    position: LogPosition
    """The position up to which the input is stored."""

    @property
    def accepted_samples(self) -> int:
        """Samples of the session accepted so far, over all its connections, stored or not."""

    async def write(self, pcm16: bytes) -> None:
        """Accept little-endian samples."""

    async def finalize(self) -> None:
        """Accept a request to make all audio so far final."""

    async def update_config(self, update: UpdateConfig) -> None:
        """Accept a change of the configuration from here on."""

    async def refuse_update(self, error: Status) -> None:
        """Accept a change of the configuration that was refused, for the worker to say so in its place."""

    async def end(self) -> None:
        """Accept the end of the audio. Nothing may follow it."""
