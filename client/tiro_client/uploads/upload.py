"""A recording that has been uploaded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tiro.speech.v1 import audio_pb2
from tiro.transcription.v1 import upload_pb2
from tiro_client.timing import seconds_of

ProgressCallback = Callable[[int, int], None]
"""Called after each message with the bytes sent and the total bytes. The first number decreases when an upload is
resumed."""


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """One sound track of a recording that has several."""

    number: int
    """Its number, from 1: `JobOptions.audio_track` of a job that transcribes it."""
    codec: str
    channel_count: int
    language: str
    """As the container has it, mostly an ISO 639-2 code. Empty: it has none."""
    title: str
    decodable: bool
    """Whether its codec is accepted."""
    speech_seconds: float
    """The speech that was found in the parts of the track that were listened to."""

    @classmethod
    def from_proto(cls, track: audio_pb2.AudioTrack) -> Self:
        """The track of a message."""
        return cls(
            number=track.number,
            codec=track.codec,
            channel_count=track.channel_count,
            language=track.language_code,
            title=track.title,
            decodable=track.decodable,
            speech_seconds=track.speech_seconds,
        )


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
    audio_track: int = 0
    """The number of the sound track that the other fields describe. 0: the recording has one."""
    audio_tracks: tuple[AudioTrack, ...] = ()
    """The sound tracks. Empty: the recording has one."""

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
            audio_track=upload.audio.track,
            audio_tracks=tuple(AudioTrack.from_proto(track) for track in upload.audio.tracks),
        )
