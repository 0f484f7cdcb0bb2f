"""The options of recognition that recordings and live streams share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from tiro.speech.v1.recognition_pb2 import RecognitionConfig, Replacement


class RecognitionOptions(TypedDict, total=False):
    """The fields of `Recognition` as keyword arguments, for `submit`, `transcribe` and `stream`."""

    engine: str
    model: str
    language: str
    candidate_languages: Sequence[str]
    hotwords: Sequence[str]
    word_timestamps: bool | None
    region: str
    replacements: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """The options of recognition. Empty fields are left to the deployment."""

    engine: str = ""
    """Name of the engine. Empty: the deployment's default."""
    model: str = ""
    """Name of the engine's model. Empty: the deployment's default."""
    language: str = ""
    """BCP 47 tag of the spoken language, such as `en` or `en-US`. Empty or `auto`: it is detected, if the model can."""
    candidate_languages: Sequence[str] = ()
    """Tags of the languages among which it is detected. Empty: among all of the model."""
    hotwords: Sequence[str] = ()
    """Words and phrases that are likely to occur."""
    word_timestamps: bool | None = None
    """Whether segments carry their words, with times. None: if the model can. True: refused if the model cannot."""
    region: str = ""
    """Region in which a cloud engine processes the audio, such as `eu-west-1`. Empty: the deployment's choice."""
    replacements: Mapping[str, str] = field(default_factory=dict)
    """Words and phrases of the transcript, and the text that replaces each of them: at most 1000. The contract's
    `Replacement` says what matches."""

    def recognition_config(self) -> RecognitionConfig:
        """The options as a message."""
        return RecognitionConfig(
            engine=self.engine,
            model=self.model,
            language_code=self.language,
            candidate_language_codes=self.candidate_languages,
            hotwords=self.hotwords,
            enable_word_time_offsets=self.word_timestamps is not False,
            word_time_offsets_optional=self.word_timestamps is None,
            region=self.region,
            replacements=replacement_messages(self.replacements),
        )


def replacement_messages(replacements: Mapping[str, str]) -> list[Replacement]:
    """Replacements as messages."""
    return [Replacement(find=phrase, replace=text) for phrase, text in replacements.items()]
