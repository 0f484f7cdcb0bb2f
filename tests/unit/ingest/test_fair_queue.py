"""The order of jobs: by lane, then tenant, then age."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_ingest.dispatch.fair_queue import LANES, FairQueue, Waiting

INTERACTIVE, STANDARD, DEFERRED = LANES


def job(number: int, tenant: str = "a", lane: "Transcription.Lane.ValueType" = STANDARD) -> Waiting:
    """A job whose key sorts by its number."""
    return Waiting(f"{tenant}.{number:04}", tenant, lane, f"{number:04}")


def filled(*jobs: Waiting) -> FairQueue:
    """A queue with these jobs."""
    queue = FairQueue()
    for item in jobs:
        queue.put(item)
    return queue


def order(queue: FairQueue) -> list[str]:
    """Keys of all waiting jobs in the order of the queue, with no job under way."""
    taken = []
    while (item := queue.take({})) is not None:
        taken.append(item.key)
    return taken


def test_of_one_tenant_the_oldest_goes_first() -> None:
    """Jobs of a tenant are in the order of creation, not of arrival, and each once."""
    assert order(filled(job(2), job(1), job(3), job(1))) == ["a.0001", "a.0002", "a.0003"]


def test_lanes_are_served_in_order() -> None:
    """Interactive jobs are first, deferred ones last."""
    waiting = filled(job(1, lane=DEFERRED), job(2), job(3, lane=INTERACTIVE))
    assert order(waiting) == ["a.0003", "a.0002", "a.0001"]


def test_the_tenant_with_the_fewest_jobs_under_way_is_next() -> None:
    """A tenant with one job does not wait for the many jobs of another tenant."""
    waiting = filled(*(job(number) for number in range(1, 100)), job(500, "b"))
    first = waiting.take({"a": 1})
    assert first is not None
    assert first.tenant == "b"


def test_tenants_with_equal_load_take_turns() -> None:
    """Tenants with the same number of jobs under way are served in turn."""
    waiting = filled(*(job(number, tenant) for number in range(1, 4) for tenant in "abc"))
    taken = [key.partition(".")[0] for key in order(waiting)]
    assert [sorted(taken[at : at + 3]) for at in (0, 3, 6)] == [["a", "b", "c"]] * 3


def test_a_discarded_job_is_not_taken() -> None:
    """A discarded job is not taken, and may be put again."""
    waiting = filled(job(1), job(2))
    waiting.discard("a.0001")
    waiting.discard("a.0007")
    assert (len(waiting), waiting.count("a")) == (1, 1)
    waiting.put(job(1))
    assert order(waiting) == ["a.0001", "a.0002"]
    assert (len(waiting), waiting.count("a")) == (0, 0)


_jobs = st.builds(job, st.integers(0, 30), st.sampled_from("abc"), st.sampled_from(LANES))


@given(st.lists(st.tuples(st.sampled_from(["put", "discard", "take"]), _jobs)))
def test_each_job_is_taken_once_and_in_the_order_of_lanes(steps: list[tuple[str, Waiting]]) -> None:
    """After any steps a taken job was waiting, in the first lane that has jobs."""
    queue, waiting, under_way = FairQueue(), dict[str, Waiting](), Counter[str]()
    for step, item in steps:
        if step == "put":
            queue.put(item)
            waiting.setdefault(item.key, item)
        elif step == "discard":
            queue.discard(item.key)
            waiting.pop(item.key, None)
        else:
            taken = queue.take(under_way)
            assert (taken is None) == (not waiting)
            if taken is not None:
                assert waiting.pop(taken.key) == taken
                assert all(LANES.index(taken.lane) <= LANES.index(other.lane) for other in waiting.values())
                under_way[taken.tenant] += 1
        assert len(queue) == len(waiting)
