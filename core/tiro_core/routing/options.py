"""The options of a request that not every model has: the one table of them, for jobs and live sessions."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.errors import TiroError, invalid_argument
from tiro_engines.interface import Capability, Feature


@dataclass(frozen=True, slots=True)
class Requirement:
    """The capability that an option needs."""

    capability: Feature
    refusal: str
    """The rest of the message about a model without it: "model 'm' ..."."""


REQUIREMENTS: Mapping[str, Requirement] = {
    "hotwords": Requirement(Capability.CAPABILITY_HOTWORDS, "takes no hotwords"),
    "enable_word_time_offsets": Requirement(Capability.CAPABILITY_WORD_TIME_OFFSETS, "gives words no times"),
    "candidate_language_codes": Requirement(
        Capability.CAPABILITY_LANGUAGE_CANDIDATES, "does not detect the language among named ones"
    ),
    "translate_to_english": Requirement(Capability.CAPABILITY_TRANSLATION, "does not translate"),
    "initial_prompt": Requirement(Capability.CAPABILITY_INITIAL_PROMPT, "takes no initial prompt"),
    "temperature": Requirement(Capability.CAPABILITY_TEMPERATURE, "has no temperature"),
    "beam_size": Requirement(Capability.CAPABILITY_BEAM_SIZE, "has no beam size"),
    "disable_voice_activity_filter": Requirement(
        Capability.CAPABILITY_VOICE_ACTIVITY_FILTER, "has no voice activity filter to turn off"
    ),
    "replacements": Requirement(
        Capability.CAPABILITY_REPLACEMENTS, "has a live worker that is older than this option and would ignore it"
    ),
}
"""By the name of the field in `RecognitionConfig` or `TranscriptionOptions`. A field that is not set needs none."""


REPLACEMENT_CHARACTERS_MAX = 32_768
"""The most characters of all replacements of a request together."""
OF_ALL_WORKERS = frozenset({Capability.CAPABILITY_REPLACEMENTS})
"""Capabilities of every worker, with any engine. A worker without one is older than the option, and would ignore it."""


def unsupported_option(
    options: RecognitionConfig | TranscriptionOptions, features: AbstractSet[Feature], *, model: str, path: str
) -> TiroError | None:
    """The refusal of the first option that needs a missing capability. None where none is missing.

    Args:
        options: The options of a request.
        features: The capabilities of the model.
        model: The name of the model, for people.
        path: The path of the options in the request.

    Returns:
        INVALID_ARGUMENT, with the reason UNSUPPORTED_OPTION. The message names the option and the model.
    """
    for field, _ in options.ListFields():
        needed = REQUIREMENTS.get(field.name)
        if needed is not None and needed.capability not in features:
            return option_refused(f"{path}.{field.name}", f"model {model!r} {needed.refusal}")
    return None


def require_size(config: RecognitionConfig, path: str) -> None:
    """Refuse replacements that are too long together: each renewal of a lease writes them with the record.

    Raises:
        TiroError: INVALID_ARGUMENT.
    """
    characters = sum(len(pair.find) + len(pair.replace) for pair in config.replacements)
    if characters > REPLACEMENT_CHARACTERS_MAX:
        raise invalid_argument(
            reasons.ERROR_REASON_INVALID_REQUEST,
            f"the replacements have {characters} characters together; at most {REPLACEMENT_CHARACTERS_MAX} are taken",
            field_path=f"{path}.replacements",
        )


def option_refused(field_path: str, message: str) -> TiroError:
    """The refusal of an option.

    Args:
        field_path: The option's path in the request.
        message: For people. It names the model, where another model may have the option.
    """
    return invalid_argument(reasons.ERROR_REASON_UNSUPPORTED_OPTION, message, field_path=field_path)
