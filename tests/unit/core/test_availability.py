"""The offer of a model: from its live workers, else from the catalogue."""

from collections.abc import Collection

import pytest

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.routing.availability import ModelAvailability, Offer
from tiro_core.routing.options import OF_ALL_WORKERS
from tiro_engines.catalogue import Model
from tiro_engines.interface import Capability, Feature

BATCH, LIVE = Capability.CAPABILITY_BATCH, Capability.CAPABILITY_LIVE
WORDS, TRANSLATION = Capability.CAPABILITY_WORD_TIME_OFFSETS, Capability.CAPABILITY_TRANSLATION
HOTWORDS, BEAM_SIZE = Capability.CAPABILITY_HOTWORDS, Capability.CAPABILITY_BEAM_SIZE


def model(languages: Collection[str], *features: Feature) -> Model:
    """A model of the catalogue."""
    return Model("m", frozenset(languages), frozenset(features))


def test_without_workers_the_catalogue_counts() -> None:
    """Without a worker a model has the languages and capabilities of the catalogue, and those of all workers."""
    whole = ModelAvailability(model({"en", "fi"}, BATCH, LIVE, WORDS), []).whole
    assert whole == Offer(frozenset({"en", "fi"}), frozenset({BATCH, LIVE, WORDS}) | OF_ALL_WORKERS)


def test_live_workers_override_the_catalogue() -> None:
    """With workers a model has the languages, capabilities and regions of any of them."""
    known = model({"en", "fi"}, BATCH, WORDS, TRANSLATION)
    worker = WorkerRecord(language_codes=["sv"], capabilities=[BATCH, HOTWORDS], regions=["eu-west-1"])
    assert ModelAvailability(known, [worker]).whole == Offer(
        frozenset({"sv"}), frozenset({BATCH, HOTWORDS}), frozenset({"eu-west-1"})
    )
    other = WorkerRecord(language_codes=["en"], capabilities=[LIVE, BEAM_SIZE], regions=["eu-central-1", "eu-west-1"])
    assert ModelAvailability(None, [worker, other]).whole == Offer(
        frozenset({"sv", "en"}), frozenset({BATCH, LIVE, HOTWORDS, BEAM_SIZE}), frozenset({"eu-west-1", "eu-central-1"})
    )


def test_a_capability_of_all_workers_counts_only_if_each_has_it() -> None:
    """A worker without it is older than the option, and would ignore it."""
    newer = WorkerRecord(language_codes=["en"], capabilities=[BATCH, *OF_ALL_WORKERS])
    older = WorkerRecord(language_codes=["en"], capabilities=[BATCH, HOTWORDS])
    assert ModelAvailability(None, [newer]).whole.features == frozenset({BATCH}) | OF_ALL_WORKERS
    assert ModelAvailability(None, [newer, older]).whole.features == frozenset({BATCH, HOTWORDS})
    assert ModelAvailability(model({"en"}, BATCH), [older]).whole.features == frozenset({BATCH, HOTWORDS})


def test_workers_without_session_slots_do_not_remove_the_live_capability() -> None:
    """A model of the catalogue keeps LIVE although its workers have no slots: another worker may start."""
    batch_only = WorkerRecord(language_codes=["en"], capabilities=[BATCH])
    assert LIVE in ModelAvailability(model({"en"}, BATCH, LIVE), [batch_only]).whole.features
    assert LIVE not in ModelAvailability(model({"en"}, BATCH), [batch_only]).whole.features


def test_an_unknown_model() -> None:
    """A model without catalogue entry and workers offers nothing."""
    nothing = ModelAvailability(None, [])
    assert (nothing.whole, nothing.offers) == (Offer(frozenset(), frozenset()), [])


@pytest.mark.parametrize(
    ("workers", "free"),
    [
        ([WorkerRecord(session_slots=8, session_capacity=5, sessions=3)], 2),
        ([WorkerRecord(session_slots=8, sessions=3)], 5),
        ([WorkerRecord(session_slots=8, session_capacity=8, sessions=9)], 0),
        ([WorkerRecord(session_slots=8, session_capacity=8, sessions_refused=True)], 0),
        ([WorkerRecord(job_slots=4)], 0),
        ([WorkerRecord(session_slots=2, session_capacity=2, sessions=3), WorkerRecord(session_slots=1)], 1),
    ],
)
def test_free_session_slots(workers: list[WorkerRecord], free: int) -> None:
    """Free slots are the sum of each worker's capacity less its sessions, at least 0 for each."""
    assert ModelAvailability(None, workers).free_session_slots == free


def test_free_job_slots() -> None:
    """Free slots are the sum over workers, at least 0 for each: a worker may have more jobs than slots for a moment."""
    workers = [WorkerRecord(job_slots=4, jobs=1), WorkerRecord(job_slots=1, jobs=2), WorkerRecord(session_slots=9)]
    assert ModelAvailability(None, workers).free_job_slots == 3
