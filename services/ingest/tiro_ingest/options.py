"""What a job's options ask for, checked at the door."""

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.audio_pb2 import AudioInfo
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.engine_pb2 import Engine
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.errors import TiroError, invalid_argument
from tiro_core.recognition import RecognitionResolver

CHANNELS_MAX = 8
"""Of a recording whose channels are transcribed each for itself: one pass each."""
_FIELD = "transcription.options"


def check_options(options: TranscriptionOptions, config: RecognitionConfig, resolver: RecognitionResolver) -> None:
    """Refuse what the model, or any, cannot do.

    Args:
        options: What is asked for.
        config: With what, resolved.
        resolver: Knows what models can do.

    Raises:
        TiroError: INVALID_ARGUMENT; names the option.
    """
    if options.diarization:
        raise _unsupported("diarization", "no engine tells speakers apart yet")
    if options.translate_to_english and Engine.CAPABILITY_TRANSLATION not in resolver.capabilities(config):
        raise _unsupported("translate_to_english", f"model {config.model!r} does not translate")
    if options.multilingual and config.language_code:
        raise invalid_argument(
            reasons.ERROR_REASON_INVALID_REQUEST,
            "a recording in several languages has no language_code",
            field_path=f"{_FIELD}.multilingual",
        )


def check_audio(options: TranscriptionOptions, audio: AudioInfo) -> None:
    """Refuse what a recording does not have: a range behind its end; or has too many of: channels.

    Raises:
        TiroError: INVALID_ARGUMENT, with the reason AUDIO_RANGE_EMPTY or UNSUPPORTED_OPTION.
    """
    if options.separate_channels and audio.channel_count > CHANNELS_MAX:
        raise _unsupported("separate_channels", f"more than {CHANNELS_MAX} channels are not transcribed for themselves")
    audio_seconds = audio.duration.ToNanoseconds() / 1e9
    if options.audio_start.ToNanoseconds() / 1e9 >= audio_seconds > 0:
        raise invalid_argument(
            reasons.ERROR_REASON_AUDIO_RANGE_EMPTY,
            f"the recording ends at {audio_seconds:.3f} s",
            field_path=f"{_FIELD}.audio_start",
        )


def _unsupported(option: str, message: str) -> TiroError:
    return invalid_argument(reasons.ERROR_REASON_UNSUPPORTED_OPTION, message, field_path=f"{_FIELD}.{option}")
