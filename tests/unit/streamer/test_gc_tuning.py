"""What the streamer tells Python's garbage collector."""

import gc
from collections.abc import Iterator

import pytest

from tiro_streamer.gc_tuning import SEARCHES_A_GENERATION, YOUNG_OBJECTS_MAX, tune_garbage_collector


@pytest.fixture(autouse=True)
def leaves_the_collector_alone() -> Iterator[None]:
    """Put it back as it was: the other tests share the process."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class Cycle:
    """Refers to itself, so that only the collector finds it once it is let go."""

    living = 0

    def __init__(self) -> None:
        self.itself = self
        Cycle.living += 1

    def __del__(self) -> None:
        Cycle.living -= 1


def test_garbage_from_before_is_gone() -> None:
    """What is garbage when the streamer starts is not kept for ever with what is not."""
    Cycle()
    tune_garbage_collector()
    assert Cycle.living == 0


def test_what_is_there_is_not_searched() -> None:
    """A search has nothing to look at of what is there already, whatever generation it searches."""
    kept = Cycle()
    tune_garbage_collector()
    assert gc.get_freeze_count() > 0
    assert not any(held is kept for held in gc.get_objects())
    del kept
    gc.collect()
    assert Cycle.living == 1
    gc.unfreeze()
    gc.collect()
    assert Cycle.living == 0


def test_what_sessions_leave_is_still_found() -> None:
    """Cycles let go later are found by themselves, once so many objects have gathered."""
    tune_garbage_collector()
    assert gc.isenabled()
    assert gc.get_threshold() == (YOUNG_OBJECTS_MAX, SEARCHES_A_GENERATION, SEARCHES_A_GENERATION)
    for _ in range(2 * YOUNG_OBJECTS_MAX):
        Cycle()
    assert Cycle.living <= YOUNG_OBJECTS_MAX
