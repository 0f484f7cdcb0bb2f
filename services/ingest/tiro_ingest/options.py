"""What a job's options ask for, checked at the door."""

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.errors import TiroError, invalid_argument
from tiro_core.recognition import RecognitionResolver

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
    for option in ("diarization", "separate_channels"):
        if getattr(options, option):
            raise _unsupported(option, f"no engine does {option} yet")
    if options.translate_to_english and not resolver.translates(config):
        raise _unsupported("translate_to_english", f"model {config.model!r} does not translate")
    if options.multilingual and config.language_code:
        raise invalid_argument(
            reasons.ERROR_REASON_INVALID_REQUEST,
            "a recording in several languages has no language_code",
            field_path=f"{_FIELD}.multilingual",
        )


def check_range(options: TranscriptionOptions, audio_seconds: float) -> None:
    """Refuse a range that begins behind the end of the recording.

    Raises:
        TiroError: INVALID_ARGUMENT, with the reason AUDIO_RANGE_EMPTY.
    """
    if options.audio_start.ToNanoseconds() / 1e9 >= audio_seconds > 0:
        raise invalid_argument(
            reasons.ERROR_REASON_AUDIO_RANGE_EMPTY,
            f"the recording ends at {audio_seconds:.3f} s",
            field_path=f"{_FIELD}.audio_start",
        )


def _unsupported(option: str, message: str) -> TiroError:
    return invalid_argument(reasons.ERROR_REASON_UNSUPPORTED_OPTION, message, field_path=f"{_FIELD}.{option}")
