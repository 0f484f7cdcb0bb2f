"""Jobs that are over move to the archive: found, listed, changed and removed there as before."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

import pytest

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Callback, Transcription
from tiro_core.clock import now
from tiro_core.ids import new_id
from tiro_core.jobs.records import JobRecords, is_settled
from tiro_core.jobs.time_buckets import NARROW_SECONDS, moment_of, moment_of_id, present_moment
from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def records(bus: Bus) -> JobRecords:
    """The records of all jobs."""
    return JobRecords(bus)


def record_of(tenant: str, job: str) -> TranscriptionRecord:
    """A job that has succeeded."""
    return TranscriptionRecord(
        tenant=tenant, transcription_id=job, state=Transcription.STATE_SUCCEEDED, create_time=now(), end_time=now()
    )


def id_made_at(milliseconds: int) -> str:
    """A UUIDv7 of that time."""
    digits = f"{milliseconds:012x}7{secrets.randbits(76):019x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


async def ended(records: JobRecords, tenant: str, job: str = "") -> str:
    """A job that is over; returns its key."""
    record = record_of(tenant, job or new_id())
    key = subjects.record(tenant, record.transcription_id)
    await records.create(key, record)
    return key


async def archived(records: JobRecords, tenant: str, job: str = "") -> str:
    """A job in the archive; returns its key."""
    key = await ended(records, tenant, job)
    assert await records.move_to_archive(key)
    assert await records.open.get(key) is None
    return key


def mark_audio(record: TranscriptionRecord) -> None:
    """Any change."""
    record.audio_deleted = True


async def test_a_job_is_the_same_in_the_archive(records: JobRecords, tenant: str) -> None:
    """It is read, changed and deleted by the same key."""
    key = await archived(records, tenant)
    stored = await records.get(key)
    assert stored is not None
    assert stored.value.state == Transcription.STATE_SUCCEEDED
    await records.mutate(key, mark_audio)
    changed = await records.get(key)
    assert changed is not None
    assert changed.value.audio_deleted
    await records.delete(key)
    assert await records.get(key) is None
    with pytest.raises(KeyError):
        await records.mutate(key, mark_audio)


async def test_what_is_not_settled_stays(records: JobRecords, tenant: str) -> None:
    """A job that runs, is being removed, or whose callback is pending is not moved."""
    for change in (
        TranscriptionRecord(state=Transcription.STATE_RUNNING),
        TranscriptionRecord(removing=True),
        TranscriptionRecord(callback=Callback(state=Callback.STATE_PENDING)),
        TranscriptionRecord(part=TranscriptionRecord.Part(samples=1)),
        TranscriptionRecord(shadow_of="another"),
    ):
        record = record_of(tenant, new_id())
        record.MergeFrom(change)
        assert not is_settled(record)
        key = subjects.record(tenant, record.transcription_id)
        await records.create(key, record)
        assert not await records.move_to_archive(key)
        assert await records.open.get(key) is not None


@pytest.mark.parametrize("gap_ms", [1000, 20 * 60 * 1000, DAY_MS], ids=["dense", "hourly", "sparse"])
async def test_a_list_has_every_job_once_in_order(records: JobRecords, tenant: str, gap_ms: int) -> None:
    """Whatever the gaps between jobs, pages of any size put together are all of them, the newest first."""
    latest = present_moment() * round(NARROW_SECONDS * 1000)
    jobs = [id_made_at(latest - index * gap_ms - secrets.randbelow(gap_ms)) for index in range(40)]
    await asyncio.gather(*(archived(records, tenant, job) for job in jobs))
    expected = sorted(jobs, reverse=True)
    for size in (1, 7, 100):
        found: list[str] = []
        while page := await records.archive.newest(tenant, size, found[-1] if found else None):
            found += page
        assert found == expected
    assert await records.archive.newest(f"{tenant}-x", 10, None) == []


async def test_buckets_of_many_are_read_in_narrow_ones(
    records: JobRecords, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order and the pages are the same."""
    monkeypatch.setattr("tiro_core.jobs.archive.MANY", 5)
    latest = present_moment() * round(NARROW_SECONDS * 1000)
    jobs = [id_made_at(latest - secrets.randbelow(DAY_MS // 4)) for _ in range(40)]
    for job in jobs:
        await archived(records, tenant, job)
    expected = sorted(jobs, reverse=True)
    assert await records.archive.newest(tenant, 100, None) == expected
    assert await records.archive.newest(tenant, 10, expected[9]) == expected[10:20]


async def test_the_last_job_of_a_bucket_takes_its_mark_along(records: JobRecords, tenant: str) -> None:
    """A list looks at no bucket that is empty; one that is filled again is found again."""
    keys = [await archived(records, tenant) for _ in range(2)]
    for key in keys:
        assert await records.archive._marks_of(tenant)
        await records.delete(key)
    assert not await records.archive._marks_of(tenant)
    key = await archived(records, tenant)
    assert await records.archive.newest(tenant, 10, None) == [key.partition(".")[2]]


async def test_two_move_one_job(records: JobRecords, bus: Bus, tenant: str) -> None:
    """Any number of services may move a job at once: it is in the archive once, and nowhere else."""
    key = await ended(records, tenant)
    await asyncio.gather(*(JobRecords(bus).move_to_archive(key) for _ in range(5)))
    while await records.open.get(key) is not None:
        await records.move_to_archive(key)
    assert len(await records.archive.newest(tenant, 10, None)) == 1


@pytest.mark.parametrize("step", ["add", "delete"])
async def test_a_change_during_the_move_is_kept(
    records: JobRecords, bus: Bus, tenant: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process changes the job between two steps of its move: the change is kept, and the move ends later."""
    key = await ended(records, tenant)
    mover = JobRecords(bus)
    owner: object = mover.archive if step == "add" else mover.open
    original: Callable[..., Awaitable[object]] = getattr(owner, step)

    async def change_first(*arguments: object) -> object:
        await records.mutate(key, mark_audio)
        return await original(*arguments)

    monkeypatch.setattr(owner, step, change_first)
    assert not await mover.move_to_archive(key)
    monkeypatch.undo()
    assert await mover.move_to_archive(key)
    stored = await records.archive.get(*key.split("."))
    assert stored is not None
    assert stored.value.audio_deleted


async def test_a_mover_that_stalls_overwrites_nothing(
    records: JobRecords, bus: Bus, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It read the job, slept while another service moved it and a caller changed it in the archive, and goes on."""
    key = await ended(records, tenant)
    late = JobRecords(bus)
    add = late.archive.add

    async def sleep_first(record: TranscriptionRecord) -> None:
        await records.move_to_archive(key)
        await records.mutate(key, mark_audio)
        await add(record)

    monkeypatch.setattr(late.archive, "add", sleep_first)
    await late.move_to_archive(key)
    stored = await records.get(key)
    assert stored is not None
    assert stored.value.audio_deleted


def test_moments_of_ids_and_of_times_agree() -> None:
    """A UUIDv7 begins with its time."""
    before = present_moment()
    assert before <= moment_of_id(new_id()) <= present_moment()
    assert moment_of(0) == 0
