"""What a deployment offers with a model: the catalogue's word, and the live workers'."""

import pytest

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.transcription.v1.engine_pb2 import Engine
from tiro_core.routing.availability import ModelAvailability
from tiro_engines.catalogue import Model

BATCH, LIVE = Engine.CAPABILITY_BATCH, Engine.CAPABILITY_LIVE
WORDS, TRANSLATION = Engine.CAPABILITY_WORD_TIME_OFFSETS, Engine.CAPABILITY_TRANSLATION
DETECTION = Engine.CAPABILITY_LANGUAGE_DETECTION
HOTWORDS, BEAM_SIZE = Engine.CAPABILITY_HOTWORDS, Engine.CAPABILITY_BEAM_SIZE
OPTIONS = {
    HOTWORDS,
    BEAM_SIZE,
    Engine.CAPABILITY_INITIAL_PROMPT,
    Engine.CAPABILITY_TEMPERATURE,
    Engine.CAPABILITY_VOICE_ACTIVITY_FILTER,
}


def test_without_workers_the_catalogue_is_believed() -> None:
    """Each of its fields is a capability."""
    everything = Model("m", frozenset({"en", "fi"}), translates=True)
    assert ModelAvailability(everything, []).capabilities == {BATCH, LIVE, WORDS, TRANSLATION, DETECTION} | OPTIONS
    nothing = Model(
        "m",
        frozenset({"en"}),
        batch=False,
        live=False,
        word_time_offsets=False,
        hotwords=False,
        initial_prompt=False,
        temperature=False,
        beam_size=False,
        voice_activity_filter=False,
    )
    assert ModelAvailability(nothing, []).capabilities == frozenset()
    assert ModelAvailability(everything, []).languages == {"en", "fi"}


def test_live_workers_go_before_the_catalogue() -> None:
    """What they run is what a request gets: also its languages."""
    worker = WorkerRecord(language_codes=["sv"], job_slots=1, word_time_offsets=True)
    offer = ModelAvailability(Model("m", frozenset({"en", "fi"}), translates=True, live=False), [worker])
    assert offer.capabilities == {BATCH, WORDS}
    assert offer.languages == {"sv"}
    able = WorkerRecord(session_slots=1, translates=True, detects_language=True, capabilities=[HOTWORDS, BEAM_SIZE])
    assert ModelAvailability(None, [able]).capabilities == {LIVE, TRANSLATION, DETECTION, HOTWORDS, BEAM_SIZE}


def test_regions_are_those_of_any_live_worker() -> None:
    """The catalogue knows none."""
    workers = [WorkerRecord(regions=["eu-west-1"]), WorkerRecord(regions=["eu-central-1", "eu-west-1"])]
    assert ModelAvailability(None, workers).regions == {"eu-west-1", "eu-central-1"}
    assert ModelAvailability(Model("m", frozenset({"en"})), []).regions == frozenset()


def test_workers_that_take_no_live_sessions_do_not_make_an_engine_unable_to() -> None:
    """A deployment has told them so; another one that takes them may come."""
    assert LIVE in ModelAvailability(Model("m", frozenset({"en"})), [WorkerRecord(job_slots=1)]).capabilities


def test_nobody_knows_the_model() -> None:
    """Nothing is offered."""
    offer = ModelAvailability(None, [])
    assert (offer.languages, offer.capabilities) == (frozenset(), frozenset())


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
def test_room_for_live_sessions(workers: list[WorkerRecord], free: int) -> None:
    """What each worker could keep up with, less what it has; one beyond its room takes nothing from another's."""
    assert ModelAvailability(None, workers).free_session_slots == free


def test_room_for_jobs() -> None:
    """Slots that are not taken, of all workers; a worker may have more jobs than slots for a moment."""
    workers = [WorkerRecord(job_slots=4, jobs=1), WorkerRecord(job_slots=1, jobs=2), WorkerRecord(session_slots=9)]
    assert ModelAvailability(None, workers).free_job_slots == 3
