"""The capabilities of an engine with a model: a request that they do not cover is refused when it is made.

The one list of them is the contract's: `Engine.Capability` in `tiro/transcription/v1/engine.proto`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from tiro.transcription.v1.engine_pb2 import Engine
from tiro_engines.interface.errors import UnsupportedLanguage

Capability = Engine.Capability
"""The contract's enum, as in `Capability.CAPABILITY_BATCH`."""

Feature: TypeAlias = Engine.Capability.ValueType
"""One capability."""

_PREFIX = "CAPABILITY_"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The capabilities of an engine with the model that it has loaded."""

    languages: frozenset[str]
    """ISO 639-1 codes (639-3 where there is none), as in `en`, `es`, `haw`; also tags with a region, as `en-GB`, where
    the model distinguishes it. The engine gets only these, whatever tag a request has."""
    features: frozenset[Feature]
    """Values of `Capability`. The engine never gets an option that needs another one."""
    regions: frozenset[str] = frozenset()
    """The regions that a request may choose. Empty for an engine without regions."""
    cloud: bool = False
    """Whether the engine sends audio to a service outside the deployment, to which a tenant must have agreed."""

    @property
    def detects_language(self) -> bool:
        """Whether a request need not name its language although the model knows several."""
        return Capability.CAPABILITY_LANGUAGE_DETECTION in self.features

    def require_language(self, language: str | None) -> None:
        """Refuse a language that the model does not know, or None where there are several and none can be detected.

        Raises:
            UnsupportedLanguage: The message names the language.
        """
        if language is None and not self.detects_language and len(self.languages) > 1:
            raise UnsupportedLanguage("the engine does not detect languages: name one")
        if language is not None and language not in self.languages:
            raise UnsupportedLanguage(f"the engine with this model does not know the language {language!r}")


def capability_name(feature: Feature) -> str:
    """The name of a capability as the catalogue has it, as in `word_time_offsets`."""
    return Capability.Name(feature).removeprefix(_PREFIX).lower()


def capabilities_named(names: Iterable[str]) -> frozenset[Feature]:
    """The capabilities that have these names in the catalogue.

    Raises:
        ValueError: The contract has no such capability; the message lists those that it has.
    """
    known = {capability_name(value): value for value in Capability.values() if value}
    unknown = sorted(set(names) - known.keys())
    if unknown:
        raise ValueError(f"no capability {', '.join(unknown)}; there are {', '.join(known)}")
    return frozenset(known[name] for name in names)
