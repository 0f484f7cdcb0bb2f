"""What to recognize with: the same for recordings and live streams."""

from collections.abc import Sequence

from tiro.speech.v1.recognition_pb2 import RecognitionConfig


def recognition_config(
    *,
    engine: str,
    model: str,
    language: str,
    hotwords: Sequence[str],
    word_timestamps: bool | None,
    region: str,
) -> RecognitionConfig:
    """The message for a choice. Empty strings leave the choice to the deployment, None to the model."""
    return RecognitionConfig(
        engine=engine,
        model=model,
        language_code=language,
        hotwords=hotwords,
        enable_word_time_offsets=word_timestamps is not False,
        word_time_offsets_optional=word_timestamps is None,
        region=region,
    )
