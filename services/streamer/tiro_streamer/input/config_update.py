"""Checking whether a change of a session's config is valid, and whether the session's model can serve it."""

from google.rpc.status_pb2 import Status

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.streaming.v1.streaming_pb2 import UpdateConfig
from tiro_core.errors import TiroError
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.server.validation import require_valid

_FIELD = "update_config"


def refusal(resolver: RecognitionResolver, recognition: RecognitionConfig, update: UpdateConfig) -> Status | None:
    """Why a change is refused, with the fields named below `update_config`. None: it is accepted.

    Fields that the change leaves as they are were checked before.

    Args:
        resolver: Knows the capabilities of engines and models.
        recognition: The session's config, with engine and model.
        update: The change.
    """
    changed = RecognitionConfig(
        engine=recognition.engine,
        model=recognition.model,
        language_code=update.language_code if update.HasField("language_code") else recognition.language_code,
        hotwords=update.hotwords.phrases,
        replacements=update.replacements.pairs,
    )
    concerns_model = update.HasField("language_code") or update.HasField("hotwords") or update.HasField("replacements")
    try:
        require_valid(update, _FIELD)
        if concerns_model:
            resolver.resolve(changed, _FIELD)
    except TiroError as error:
        return error.to_status()
    return None
