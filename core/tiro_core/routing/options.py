"""What a request asks of a model besides its language: checked at the door against what the model can do."""

from collections.abc import Set as AbstractSet

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.engine_pb2 import Engine
from tiro_core.errors import TiroError, invalid_argument
from tiro_core.routing.availability import Capability


def check_recognition_options(
    config: RecognitionConfig, capabilities: AbstractSet[Capability], field_path: str
) -> None:
    """Refuse what the model has no counterpart for. What is left out is never refused.

    Args:
        config: What is asked for, with its model. Word times that were only a wish are struck out where there are none.
        capabilities: What can be done with the model.
        field_path: Where in the request the config stands.

    Raises:
        TiroError: INVALID_ARGUMENT, with the reason UNSUPPORTED_OPTION; names the option and the model.
    """
    if config.hotwords and Engine.CAPABILITY_HOTWORDS not in capabilities:
        raise unsupported_option(f"{field_path}.hotwords", f"model {config.model!r} takes no hotwords")
    if config.enable_word_time_offsets and Engine.CAPABILITY_WORD_TIME_OFFSETS not in capabilities:
        if not config.word_time_offsets_optional:
            raise unsupported_option(
                f"{field_path}.enable_word_time_offsets", f"model {config.model!r} gives words no times"
            )
        config.enable_word_time_offsets = False


def check_region(config: RecognitionConfig, regions: AbstractSet[str], field_path: str) -> None:
    """Refuse a region in which no live worker of the model may have audio heard.

    Args:
        config: What is asked for, with its model.
        regions: Those that the model's live workers allow.
        field_path: Where in the request the config stands.

    Raises:
        TiroError: INVALID_ARGUMENT, with the reason REGION_NOT_ALLOWED and the allowed ones in the metadata.
    """
    if config.region and config.region not in regions:
        allowed = ", ".join(sorted(regions)) or "none"
        raise invalid_argument(
            reasons.ERROR_REASON_REGION_NOT_ALLOWED,
            f"no live worker of model {config.model!r} is allowed the region {config.region!r}; allowed: {allowed}",
            field_path=f"{field_path}.region",
            regions=",".join(sorted(regions)),
        )


def unsupported_option(field: str, message: str) -> TiroError:
    """The refusal of an option.

    Args:
        field: The option's path in the request.
        message: For people; names the model, where another one could do it.
    """
    return invalid_argument(reasons.ERROR_REASON_UNSUPPORTED_OPTION, message, field_path=field)
