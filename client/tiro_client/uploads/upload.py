"""A recording that has been uploaded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tiro.transcription.v1 import upload_pb2
from tiro_client.timing import seconds_of

ProgressCallback = Callable[[int, int], None]
"""Called after each message with the bytes sent and the total bytes. The first number decreases when an upload is
resumed."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A recording that has been uploaded and probed."""

    name: str
    """`uploads/{id}`."""
    display_name: str
    size_bytes: int
    sha256: str
    """Lower-case hex."""
    container: str
    """FFmpeg's short name, such as `wav`."""
    codec: str
    """FFmpeg's name, such as `pcm_s16le`."""
    sample_rate_hertz: int
    channel_count: int
    audio_seconds: float

    @classmethod
    def from_proto(cls, upload: upload_pb2.Upload) -> Self:
        """The upload of a message."""
        return cls(
            name=upload.name,
            display_name=upload.display_name,
            size_bytes=upload.committed_size,
            sha256=upload.sha256,
            container=upload.audio.container,
            codec=upload.audio.codec,
            sample_rate_hertz=upload.audio.sample_rate_hertz,
            channel_count=upload.audio.channel_count,
            audio_seconds=seconds_of(upload.audio.duration),
        )
