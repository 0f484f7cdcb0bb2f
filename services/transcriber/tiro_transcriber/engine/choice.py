"""The engine and the models that a worker runs, by its settings and the catalogue."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from tiro_core.server.preflight import read_catalogue
from tiro_core.startup import CannotStart
from tiro_engines.catalogue import Engine, Model
from tiro_engines.interface import EngineType
from tiro_engines.registry import find_engine
from tiro_transcriber.settings import TranscriberSettings

ALL_MODELS = "all"
MEMORY_FRACTION = 0.75
"""The fraction of the machine's memory that models may take, unless the settings say otherwise."""
WEIGHTS_FACTOR = 2
BUFFERS_BYTES = 200_000_000
"""A model takes its weights, a copy of them in the compute type, and buffers.

With 200 MB for the buffers this is 356 MB for tiny.en and 496 MB for base; measured were 280 and 480 MB more than a
worker takes without a model (int8, two cores, two jobs and a live session).
"""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """What a worker runs."""

    kind: EngineType
    engine: str
    model: str
    """The model that is loaded when the worker starts. Empty: the default of an engine that is not in the catalogue."""
    on_demand: Sequence[Model]
    """Further models, which are loaded when they are asked for."""
    memory_bytes: int
    """The most memory that all models may take together."""
    kept_bytes: int
    """The memory of the first model."""


def choose_engine(settings: TranscriberSettings) -> EngineChoice:
    """The engine and the models of a worker.

    Raises:
        CannotStart: There is no such engine, it has no such model, or a model does not fit the memory.
    """
    catalogue = read_catalogue(settings.catalogue)
    name = settings.engine or catalogue.default_engine
    # An engine of another package need not be in the catalogue: then the engine itself knows its models.
    known = catalogue.engines.get(name)
    memory = settings.models_memory_bytes or int(machine_memory() * MEMORY_FRACTION)
    try:
        kind = find_engine(name)
        first = known.model(settings.model) if known else None
        further = _further(settings.models, known, first)
    except LookupError as error:
        raise CannotStart(str(error)) from error
    kept = memory_of(first) if first else 0
    if settings.models == ALL_MODELS:
        further = [model for model in further if kept + memory_of(model) <= memory]
    for model in further:
        if kept + memory_of(model) > memory:
            raise CannotStart(
                f"models: {model.name!r} takes about {memory_of(model) / 1e9:.1f} GB of memory; with the first "
                f"model that is more than models_memory_bytes, {memory / 1e9:.1f} GB"
            )
    return EngineChoice(kind, name, first.name if first else settings.model, further, memory, kept)


def _further(names: str, engine: Engine | None, first: Model | None) -> list[Model]:
    """The models of the allow-list, without the first one.

    Raises:
        LookupError: The catalogue lacks one of them, or the engine.
    """
    wanted = [name for part in names.split(",") if (name := part.strip())]
    if not wanted:
        return []
    if engine is None:
        raise LookupError("models: an engine that is not in the catalogue has one model")
    found = engine.models.values() if wanted == [ALL_MODELS] else map(engine.model, wanted)
    return [model for model in dict.fromkeys(found) if model != first]


def memory_of(model: Model) -> int:
    """The memory that a model takes, in bytes, as estimated from the size of its files. 0 without files."""
    return WEIGHTS_FACTOR * model.size_bytes + BUFFERS_BYTES if model.files else 0


def machine_memory() -> int:
    """The memory of this machine, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
