"""Checking whether the model of a session can serve a change of its config."""

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.streaming.v1.streaming_pb2 import UpdateConfig
from tiro_core.routing.resolver import RecognitionResolver


def check_update(resolver: RecognitionResolver, recognition: RecognitionConfig, update: UpdateConfig) -> None:
    """Check a change before it is stored. Fields that it does not change were checked before.

    Args:
        resolver: Knows the capabilities of engines and models.
        recognition: The session's config, with engine and model.
        update: The change.

    Raises:
        TiroError: The model cannot serve it; the fields are named below `update_config`.
    """
    if not (update.HasField("language_code") or update.HasField("hotwords") or update.HasField("replacements")):
        return
    changed = RecognitionConfig(
        engine=recognition.engine,
        model=recognition.model,
        language_code=update.language_code if update.HasField("language_code") else recognition.language_code,
        hotwords=update.hotwords.phrases,
        replacements=update.replacements.pairs,
    )
    resolver.resolve(changed, "update_config")
