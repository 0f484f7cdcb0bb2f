"""The sound track of a recording that a job transcribes."""

from google.protobuf.duration_pb2 import Duration

from tiro.speech.v1.audio_pb2 import AudioInfo, AudioTrack
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions


def heard_track(options: TranscriptionOptions, audio: AudioInfo) -> int:
    """The number of the track, from 1. 0: the recording has one."""
    return options.audio_track or audio.track


def heard_duration(options: TranscriptionOptions, audio: AudioInfo) -> Duration:
    """The length of the recording, as far as the track goes."""
    track = named_track(audio, options.audio_track)
    named = track is not None and options.audio_track != audio.track and track.HasField("duration")
    return track.duration if track is not None and named else audio.duration


def heard_channels(options: TranscriptionOptions, audio: AudioInfo) -> int:
    """The number of the track's channels."""
    track = named_track(audio, options.audio_track)
    return audio.channel_count if track is None or track.number == audio.track else track.channel_count


def named_track(audio: AudioInfo, number: int) -> AudioTrack | None:
    """The track with a number. None: the recording has one track, or none with this number."""
    return next((track for track in audio.tracks if track.number == number), None)
