"""Whether the model of a session can serve a change of its configuration."""

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.streaming.v1.streaming_pb2 import UpdateConfig
from tiro_core.routing.resolver import RecognitionResolver


def check_update(resolver: RecognitionResolver, recognition: RecognitionConfig, update: UpdateConfig) -> None:
    """Check a change before it is stored. What it leaves as it is was checked before.

    Args:
        resolver: Knows what engines and models can do.
        recognition: The session's engine, model and config.
        update: What changes.

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
