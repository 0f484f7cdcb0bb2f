"""The streamer's tuning of Python's garbage collector."""

import gc
from collections.abc import Iterator

import pytest

from tiro_streamer.gc_tuning import SEARCHES_A_GENERATION, YOUNG_OBJECTS_MAX, tune_garbage_collector


@pytest.fixture(autouse=True)
def leaves_the_collector_alone() -> Iterator[None]:
    """Restore the collector: other tests share the process."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class Cycle:
    """An object that refers to itself, so that only the collector frees it."""

    living = 0

    def __init__(self) -> None:
        self.itself = self
        Cycle.living += 1

    def __del__(self) -> None:
        Cycle.living -= 1


def test_garbage_of_the_start_is_collected() -> None:
    """Garbage of the start is collected before the other objects are frozen."""
    Cycle()
    tune_garbage_collector()
    assert Cycle.living == 0


def test_objects_of_the_start_are_not_searched() -> None:
    """Objects of the start are frozen: no collection of any generation searches them."""
    kept = Cycle()
    tune_garbage_collector()
    assert gc.get_freeze_count() > 0
    assert not any(each is kept for each in gc.get_objects())
    del kept
    gc.collect()
    assert Cycle.living == 1
    gc.unfreeze()
    gc.collect()
    assert Cycle.living == 0


def test_garbage_of_sessions_is_collected() -> None:
    """Later cycles are collected automatically, once `YOUNG_OBJECTS_MAX` objects exist."""
    tune_garbage_collector()
    assert gc.isenabled()
    assert gc.get_threshold() == (YOUNG_OBJECTS_MAX, SEARCHES_A_GENERATION, SEARCHES_A_GENERATION)
    for _ in range(2 * YOUNG_OBJECTS_MAX):
        Cycle()
    assert Cycle.living <= YOUNG_OBJECTS_MAX
