"""Models that are loaded on demand: memory, use and idleness. The engine is the fake one."""

import threading
from collections.abc import Callable, Iterator

import pytest

from tiro_engines.fake.engine import FakeEngine
from tiro_engines.interface import Cancelled, Engine, EngineUnavailable, ModelTooLarge, ModelUnavailable
from tiro_transcriber.engine import shelf as module
from tiro_transcriber.engine.shelf import ModelShelf

WAIT_SECONDS_MAX = 10.0


class Loads:
    """Counts the loads of models, and closes."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.closed: list[str] = []

    def of(self, name: str) -> Callable[[], Engine]:
        """A function that loads a model."""

        def load() -> Engine:
            self.loaded.append(name)
            engine = FakeEngine("markers", frozenset({"en"}))
            close = engine.close

            def closing() -> None:
                self.closed.append(name)
                close()

            setattr(engine, "close", closing)  # noqa: B010 - mypy does not allow to assign a method
            return engine

        return load


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time that the test has set."""
        return self.now


@pytest.fixture
def loads() -> Loads:
    """Counted loads."""
    return Loads()


@pytest.fixture
def clock() -> Clock:
    """A clock at 0."""
    return Clock()


@pytest.fixture
def shelf(loads: Loads, clock: Clock) -> Iterator[ModelShelf]:
    """Three models of 40 bytes, of which two fit."""
    shelf = ModelShelf(memory_bytes=100, idle_seconds=60, clock=clock)
    for name in ("one", "two", "three"):
        shelf.add(name, loads.of(name), 40)
    yield shelf
    shelf.close()


def use(shelf: ModelShelf, name: str) -> None:
    """Load a model, and give it up."""
    with shelf.using(name, lambda: False):
        pass


def test_a_model_is_loaded_once(shelf: ModelShelf, loads: Loads) -> None:
    """It stays loaded for the next user."""
    use(shelf, "one")
    use(shelf, "one")
    assert (loads.loaded, shelf.loaded) == (["one"], ["one"])


def test_the_longest_unused_model_makes_room(shelf: ModelShelf, loads: Loads, clock: Clock) -> None:
    """A third model takes the memory of the one that was used longest ago."""
    for clock.now, name in ((1.0, "one"), (2.0, "two"), (3.0, "one"), (4.0, "three")):
        use(shelf, name)
    assert (loads.closed, shelf.loaded) == (["two"], ["one", "three"])


def test_a_model_in_use_is_waited_for(shelf: ModelShelf) -> None:
    """A model is not unloaded while it is used: the next one waits until there is memory."""
    waiting, got = threading.Event(), threading.Event()

    def third() -> None:
        def is_cancelled() -> bool:
            waiting.set()
            return False

        shelf.acquire("three", is_cancelled, seconds_max=WAIT_SECONDS_MAX)
        got.set()
        shelf.release("three")

    with shelf.using("one", lambda: False), shelf.using("two", lambda: False):
        thread = threading.Thread(target=third)
        thread.start()
        assert waiting.wait(WAIT_SECONDS_MAX)
        assert not got.is_set()
    thread.join(WAIT_SECONDS_MAX)
    assert got.is_set()


def test_memory_that_does_not_become_free(shelf: ModelShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait has a limit, and a caller that does not want the model any more ends it."""
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.01)
    with shelf.using("one", lambda: False), shelf.using("two", lambda: False):
        with pytest.raises(EngineUnavailable, match="other models use the memory"):
            shelf.acquire("three", lambda: False, seconds_max=0.0)
        with pytest.raises(Cancelled):
            shelf.acquire("three", lambda: True, seconds_max=WAIT_SECONDS_MAX)


def test_idle_models_are_unloaded(shelf: ModelShelf, loads: Loads, clock: Clock) -> None:
    """After the idle time without a use, and not while it is used."""
    use(shelf, "one")
    with shelf.using("two", lambda: False):
        clock.now = 59.0
        shelf.unload_idle()
        assert loads.closed == []
        clock.now = 61.0
        shelf.unload_idle()
        assert (loads.closed, shelf.loaded) == (["one"], ["two"])
    use(shelf, "one")
    assert loads.loaded == ["one", "two", "one"]


def test_the_first_model_is_kept(shelf: ModelShelf, loads: Loads, clock: Clock) -> None:
    """It is never unloaded, and its memory counts."""
    kept = loads.of("kept")()
    shelf.keep(kept, 50)
    for clock.now, name in ((1.0, "one"), (2.0, "two"), (1000.0, "three")):
        use(shelf, name)
        shelf.unload_idle()
    assert "kept" not in loads.closed
    assert kept.model.model in shelf.loaded


def test_a_model_that_does_not_fit_is_refused(shelf: ModelShelf, loads: Loads) -> None:
    """It has a reason of its own, at once."""
    shelf.add("huge", loads.of("huge"), 101)
    with pytest.raises(ModelTooLarge, match="'huge' takes about"):
        shelf.acquire("huge", lambda: False, seconds_max=WAIT_SECONDS_MAX)
    assert loads.loaded == []


def test_a_model_that_cannot_be_fetched_is_tried_again(shelf: ModelShelf) -> None:
    """The error says why. The next use tries again."""
    outcomes: list[Engine | Exception] = [
        ModelUnavailable("the hub does not answer"),
        FakeEngine("markers", frozenset({"en"})),
    ]

    def load() -> Engine:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    shelf.add("far", load, 10)
    with pytest.raises(EngineUnavailable, match="'far' cannot be fetched: the hub does not answer"):
        use(shelf, "far")
    use(shelf, "far")
    assert shelf.loaded == ["far"]
