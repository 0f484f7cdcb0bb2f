"""Checking a job's options when it is made."""

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.audio_pb2 import AudioInfo
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.errors import TiroError, invalid_argument
from tiro_core.jobs.audio_tracks import heard_channels, heard_duration, named_track
from tiro_core.routing.options import option_refused
from tiro_core.routing.resolver import RecognitionResolver

CHANNELS_MAX = 8
"""The most channels that are transcribed separately, because each needs a separate pass."""
_CONFIG = "transcription.config"
_FIELD = "transcription.options"


def check_options(options: TranscriptionOptions, config: RecognitionConfig, resolver: RecognitionResolver) -> None:
    """Refuse options that no live worker of the model can serve, or no engine at all.

    Args:
        options: The options of the job.
        config: The resolved config of the job.
        resolver: Knows the workers and the catalogue.

    Raises:
        TiroError: INVALID_ARGUMENT; the message names the option.
    """
    if options.diarization:
        raise _unsupported("diarization", "no engine supports diarization yet")
    resolver.require_served(config, options, config_path=_CONFIG, options_path=_FIELD)
    if options.multilingual and config.language_code:
        raise invalid_argument(
            reasons.ERROR_REASON_INVALID_REQUEST,
            "a recording in several languages has no language_code",
            field_path=f"{_FIELD}.multilingual",
        )


def check_audio(options: TranscriptionOptions, audio: AudioInfo) -> None:
    """Refuse what the recording does not have.

    That is a sound track with another number or in a codec that is not accepted, a range after the end, and more
    channels than are transcribed separately.

    Raises:
        TiroError: INVALID_ARGUMENT, with the reason AUDIO_TRACK_NOT_FOUND, AUDIO_UNDECODABLE, AUDIO_RANGE_EMPTY or
            UNSUPPORTED_OPTION.
    """
    if options.audio_track:
        _check_track(options.audio_track, audio)
    if options.separate_channels and heard_channels(options, audio) > CHANNELS_MAX:
        raise _unsupported("separate_channels", f"more than {CHANNELS_MAX} channels are not transcribed separately")
    audio_seconds = heard_duration(options, audio).ToNanoseconds() / 1e9
    if options.audio_start.ToNanoseconds() / 1e9 >= audio_seconds > 0:
        raise invalid_argument(
            reasons.ERROR_REASON_AUDIO_RANGE_EMPTY,
            f"the recording ends at {audio_seconds:.3f} s",
            field_path=f"{_FIELD}.audio_start",
        )


def _check_track(number: int, audio: AudioInfo) -> None:
    track = named_track(audio, number)
    if track is not None and not track.decodable:
        raise invalid_argument(
            reasons.ERROR_REASON_AUDIO_UNDECODABLE,
            f"the audio codec {track.codec} of track {number} is not accepted",
            field_path=f"{_FIELD}.audio_track",
        )
    count = max(1, len(audio.tracks))
    if number > count:
        plural = "" if count == 1 else "s"
        raise invalid_argument(
            reasons.ERROR_REASON_AUDIO_TRACK_NOT_FOUND,
            f"the recording has {count} sound track{plural}, and no track {number}",
            field_path=f"{_FIELD}.audio_track",
        )


def _unsupported(option: str, message: str) -> TiroError:
    return option_refused(f"{_FIELD}.{option}", message)
