"""The models that a worker loads when they are asked for: within a limit of memory, and for as long as they are used.

Methods may be called on any thread, and block while a model is loaded or waits for memory.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tiro_core.logs.logger import get_logger
from tiro_engines.interface import Cancelled, Engine, EngineUnavailable, ModelTooLarge, ModelUnavailable
from tiro_transcriber.engine.memory import give_back_memory

CHECK_SECONDS = 0.5
"""How often a thread that waits looks whether its caller still wants the model."""
MEMORY_SECONDS_MAX = 600.0
"""How long a job waits for memory that other models use; then its attempt fails."""
SESSION_MEMORY_SECONDS_MAX = 10.0
"""The same for a live session, whose client waits."""

log = get_logger()


@dataclass(slots=True)
class _Place:
    """A model that may be loaded."""

    load: Callable[[], Engine]
    memory_bytes: int
    is_kept: bool
    engine: Engine | None = None
    is_loading: bool = False
    users: int = 0
    used_at: float = 0.0
    """When it was last used, by the shelf's clock."""

    @property
    def takes_memory(self) -> bool:
        return self.engine is not None or self.is_loading

    @property
    def can_go(self) -> bool:
        return self.engine is not None and not self.users and not self.is_kept


class ModelShelf:
    """Loads models on demand, and unloads those that nobody uses.

    Args:
        memory_bytes: The most memory that all loaded models may take together.
        idle_seconds: A model that was not used for this time is unloaded by `unload_idle`.
        clock: Seconds, for tests.
    """

    def __init__(self, *, memory_bytes: int, idle_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._memory_bytes = memory_bytes
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._places: dict[str, _Place] = {}
        self._changed = threading.Condition()

    def add(self, name: str, load: Callable[[], Engine], memory_bytes: int) -> None:
        """Add a model that is loaded on demand.

        Args:
            name: The model.
            load: Loads it; may raise `ModelUnavailable` and `ModelTooLarge`.
            memory_bytes: The memory that it takes, as estimated.
        """
        self._places[name] = _Place(load, memory_bytes, is_kept=False)

    def keep(self, engine: Engine, memory_bytes: int) -> None:
        """Add a model that is loaded already, and never unloaded."""
        self._places[engine.model.model] = _Place(lambda: engine, memory_bytes, is_kept=True, engine=engine)

    @property
    def loaded(self) -> list[str]:
        """The models in memory."""
        with self._changed:
            return [name for name, place in self._places.items() if place.engine is not None]

    @contextmanager
    def using(self, name: str, is_cancelled: Callable[[], bool]) -> Iterator[Engine]:
        """A model that stays loaded while the context lasts. For the errors see `acquire`."""
        engine = self.acquire(name, is_cancelled, seconds_max=MEMORY_SECONDS_MAX)
        try:
            yield engine
        finally:
            self.release(name)

    def acquire(self, name: str, is_cancelled: Callable[[], bool], *, seconds_max: float) -> Engine:
        """Load a model unless it is loaded, and keep it until `release`.

        Args:
            name: The model.
            is_cancelled: Whether the caller does not want it any more.
            seconds_max: How long to wait for memory, and for another thread that loads the model.

        Raises:
            Cancelled: The caller does not want it any more.
            EngineUnavailable: No source has the model, or other models used the memory for too long.
            ModelTooLarge: The model does not fit the memory.
        """
        deadline = time.monotonic() + seconds_max
        with self._changed:
            place = self._places[name]
            while place.engine is None:
                if is_cancelled():
                    raise Cancelled
                if not place.is_loading and self._make_room(name, place):
                    self._load(name, place)
                elif time.monotonic() > deadline:
                    raise EngineUnavailable(f"the model {name!r} was not loaded: other models use the memory")
                else:
                    self._changed.wait(CHECK_SECONDS)
            place.users += 1
            return place.engine

    def release(self, name: str) -> None:
        """Give up a model that was acquired."""
        with self._changed:
            place = self._places[name]
            place.users -= 1
            place.used_at = self._clock()
            self._changed.notify_all()

    def unload_idle(self) -> None:
        """Unload the models that nobody has used for `idle_seconds`."""
        with self._changed:
            for name, place in self._places.items():
                if place.can_go and self._clock() - place.used_at >= self._idle_seconds:
                    self._unload(name, place)

    def close(self) -> None:
        """Unload all models. No call may be in progress."""
        with self._changed:
            for place in self._places.values():
                if place.engine is not None:
                    place.engine.close()
                    place.engine = None

    def _make_room(self, name: str, wanted: _Place) -> bool:
        """Unload what is not used, the longest unused first, until a model fits. Returns whether it does.

        Raises:
            ModelTooLarge: It would not fit beside the models that are kept.
        """
        kept = sum(place.memory_bytes for place in self._places.values() if place.is_kept)
        if kept + wanted.memory_bytes > self._memory_bytes:
            raise ModelTooLarge(
                f"the model {name!r} takes about {wanted.memory_bytes / 1e9:.1f} GB of memory, and models may take "
                f"{self._memory_bytes / 1e9:.1f} GB"
            )
        while self._memory_used() + wanted.memory_bytes > self._memory_bytes:
            idle = [(place.used_at, other) for other, place in self._places.items() if place.can_go]
            if not idle:
                return False
            _, oldest = min(idle)
            self._unload(oldest, self._places[oldest])
        return True

    def _memory_used(self) -> int:
        return sum(place.memory_bytes for place in self._places.values() if place.takes_memory)

    def _load(self, name: str, place: _Place) -> None:
        """Load a model without the lock, so that others can be used meanwhile."""
        place.is_loading = True
        begun = time.monotonic()
        self._changed.release()
        try:
            engine = place.load()
        except ModelUnavailable as error:
            raise EngineUnavailable(f"the model {name!r} cannot be fetched: {error}") from error
        else:
            log.info("model_loaded", model=name, seconds=round(time.monotonic() - begun, 2))
        finally:
            self._changed.acquire()
            place.is_loading = False
            self._changed.notify_all()
        place.engine, place.used_at = engine, self._clock()

    def _unload(self, name: str, place: _Place) -> None:
        if place.engine is not None:
            place.engine.close()
            place.engine = None
            give_back_memory()
            log.info("model_unloaded", model=name)
            self._changed.notify_all()
