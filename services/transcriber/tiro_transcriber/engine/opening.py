"""The engines of a worker: the loaded one, and one for each model that is loaded on demand."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from tiro_engines.catalogue import Model
from tiro_engines.interface import Capabilities, Engine, EngineSettings, ModelInfo
from tiro_transcriber.engine.choice import EngineChoice, memory_of
from tiro_transcriber.engine.on_demand import OnDemandEngine
from tiro_transcriber.engine.shelf import ModelShelf

IDLE_CHECKS = 10
"""How often idle models are looked for within the time after which they are unloaded."""


@asynccontextmanager
async def open_engines(
    loaded: Engine, choice: EngineChoice, settings: EngineSettings, *, idle_seconds: float, job_slots: int
) -> AsyncIterator[Sequence[Engine]]:
    """The engines while the context lasts; the loaded one first, and alone where no model is loaded on demand.

    Args:
        loaded: The engine with the first model.
        choice: The further models.
        settings: The settings with which they are loaded.
        idle_seconds: How long a model stays loaded after its last use.
        job_slots: The windows that all models may transcribe at once.
    """
    if not choice.on_demand:
        yield [loaded]
        return
    shelf = ModelShelf(memory_bytes=choice.memory_bytes, idle_seconds=idle_seconds)
    shelf.keep(loaded, choice.kept_bytes)
    for model in choice.on_demand:
        shelf.add(model.name, partial(choice.kind.load, model.name, settings), memory_of(model))
    turns = threading.Semaphore(max(1, job_slots))
    first = _engine(shelf, loaded.model, loaded.capabilities, loaded, turns)
    others = [_engine(shelf, _info(choice, one), _capabilities(one), loaded, turns) for one in choice.on_demand]
    unloading = asyncio.create_task(_unload_idle(shelf, idle_seconds / IDLE_CHECKS), name="unload-idle")
    try:
        yield [first, *others]
    finally:
        unloading.cancel()
        await asyncio.wait({unloading})
        await asyncio.to_thread(shelf.close)


def _engine(
    shelf: ModelShelf, model: ModelInfo, capabilities: Capabilities, loaded: Engine, turns: threading.Semaphore
) -> OnDemandEngine:
    # The size of a batch depends on engine and device, which all models have in common.
    size = loaded.partial_batch_size_max
    return OnDemandEngine(shelf, model, capabilities, partial_batch_size_max=size, turns=turns)


def _info(choice: EngineChoice, model: Model) -> ModelInfo:
    return ModelInfo(choice.engine, model.name, model.digest)


def _capabilities(model: Model) -> Capabilities:
    return Capabilities(model.languages, model.features)


async def _unload_idle(shelf: ModelShelf, every_seconds: float) -> None:
    while True:
        await asyncio.sleep(every_seconds)
        await asyncio.to_thread(shelf.unload_idle)
