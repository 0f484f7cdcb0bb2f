"""What a job's options ask for, checked at the door."""

from collections.abc import Iterator
from dataclasses import dataclass

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.audio_pb2 import AudioInfo
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.engine_pb2 import Engine
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.errors import TiroError, invalid_argument
from tiro_core.routing.availability import Capability
from tiro_core.routing.options import unsupported_option
from tiro_core.routing.resolver import RecognitionResolver

CHANNELS_MAX = 8
"""Of a recording whose channels are transcribed each for itself: one pass each."""
_FIELD = "transcription.options"


@dataclass(frozen=True, slots=True)
class _Needed:
    """An option that a job asks for, and what a model must be able to do for it."""

    option: str
    capability: Capability
    refusal: str
    """What a model does that is not able to, for people."""


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
    can = resolver.capabilities(config)
    for needed in _needed(options):
        if needed.capability not in can:
            raise _unsupported(needed.option, f"model {config.model!r} {needed.refusal}")
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


def _needed(options: TranscriptionOptions) -> Iterator[_Needed]:
    """What is asked for that not every model can do. What is left out asks for nothing."""
    if options.translate_to_english:
        yield _Needed("translate_to_english", Engine.CAPABILITY_TRANSLATION, "does not translate")
    if options.initial_prompt:
        yield _Needed("initial_prompt", Engine.CAPABILITY_INITIAL_PROMPT, "takes no initial prompt")
    if options.HasField("temperature"):
        yield _Needed("temperature", Engine.CAPABILITY_TEMPERATURE, "has no temperature")
    if options.beam_size:
        yield _Needed("beam_size", Engine.CAPABILITY_BEAM_SIZE, "has no beam size")
    if options.disable_voice_activity_filter:
        filtering = Engine.CAPABILITY_VOICE_ACTIVITY_FILTER
        yield _Needed("disable_voice_activity_filter", filtering, "has no voice activity filter to turn off")


def _unsupported(option: str, message: str) -> TiroError:
    return unsupported_option(f"{_FIELD}.{option}", message)
