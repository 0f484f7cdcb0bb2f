"""The recording of a job, as its upload describes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1.audio_pb2 import AudioTrack
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.jobs.audio_tracks import heard_channels, heard_track


@dataclass(frozen=True, slots=True)
class Recording:
    """A stored recording."""

    size: int
    """Its bytes."""
    channels: int = 1
    """The channels of the sound track that is transcribed."""
    container: str = ""
    """FFmpeg's name of its container. Empty: a part, which is a WAV file."""
    track: int = 0
    """The number of this track, from 1. 0: the recording has one."""
    tracks: Sequence[AudioTrack] = ()
    """All sound tracks. Empty: the recording has one."""
    is_track_chosen: bool = False
    """Whether the caller has named the track."""


def recording_of(upload: UploadRecord, options: TranscriptionOptions) -> Recording:
    """The recording in an upload, as a job with these options transcribes it."""
    audio = upload.audio
    return Recording(
        upload.committed_size,
        max(1, heard_channels(options, audio)),
        audio.container,
        heard_track(options, audio),
        audio.tracks,
        bool(options.audio_track),
    )
