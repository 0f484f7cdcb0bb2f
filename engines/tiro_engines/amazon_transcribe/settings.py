"""The settings of Amazon Transcribe. Credentials are none of them: they come from AWS's own chain."""

from typing import Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tiro_engines.amazon_transcribe.languages import LOCALES, language_of, locales_by_tag
from tiro_engines.errors import SettingsError

CATCH_UP_PACE = 2.0
"""The least pace of a live session that is behind, in seconds of audio per second."""


class AmazonSettings(BaseSettings):
    """Read from `TIRO_AMAZON_...` in the environment."""

    model_config = SettingsConfigDict(env_prefix="TIRO_AMAZON_", extra="ignore")

    region: str = Field("us-east-1", min_length=1, description="Region in which audio is processed")
    regions: str = Field("", description="Further regions that a request may choose, as in `eu-west-1,eu-central-1`")
    endpoint: str = Field("", description="URL of the service instead of the region's own")
    locales: str = Field("", description="Preferred locales of languages that have several, as in `en-GB,pt-PT`")
    identify: str = Field(
        "",
        description="Locales among which the language is identified when a request names none, as in `en-US,es-US`: at"
        " least two, at most one of each language. Empty: a request must name its language",
    )
    vocabulary: str = Field("", description="A custom vocabulary of the account")
    vocabulary_filter: str = Field("", description="A vocabulary filter of the account")
    vocabulary_filter_method: str = Field(
        "mask", pattern="^(mask|remove|tag)$", description="What the filter does with a word"
    )
    stability: str = Field(
        "high", pattern="^(low|medium|high)$", description="How stable words of partials are: `high` changes fewest"
    )
    pace: float = Field(
        1.0,
        gt=0,
        le=100,
        description="How fast audio is sent, in seconds of audio per second; the service recommends 1",
    )
    streams: int = Field(
        8, ge=1, le=64, description="Streams for jobs at once; the account has a limit on all its streams"
    )

    @model_validator(mode="after")
    def _locales_make_sense(self) -> Self:
        found = self.identified_locales
        languages = {language_of(locale) for locale in found}
        if any(locale not in LOCALES for locale in found) or len(languages) < len(found) or len(found) == 1:
            raise ValueError("TIRO_AMAZON_IDENTIFY: two or more locales of the service, at most one of each language")
        locales_by_tag(self.preferred_locales)
        if found and (self.vocabulary or self.vocabulary_filter):
            raise ValueError(
                "TIRO_AMAZON_IDENTIFY cannot be combined with a vocabulary or a filter: these are of one language"
            )
        return self

    @property
    def identified_locales(self) -> tuple[str, ...]:
        """The locales among which a language is identified."""
        return _by_commas(self.identify)

    @property
    def preferred_locales(self) -> tuple[str, ...]:
        """The locales that the settings prefer for their languages."""
        return _by_commas(self.locales)

    @property
    def allowed_regions(self) -> frozenset[str]:
        """The regions that a request may choose: the default region, and the further ones."""
        return frozenset((self.region, *_by_commas(self.regions)))


def read_settings() -> AmazonSettings:
    """The settings of the environment.

    Raises:
        SettingsError: A value is not allowed; the message names the variable.
    """
    try:
        return AmazonSettings()
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))} {one['msg']}".strip() for one in error.errors())
        raise SettingsError(f"TIRO_AMAZON_...: {faults}") from error


def _by_commas(names: str) -> tuple[str, ...]:
    return tuple(name for part in names.split(",") if (name := part.strip()))
