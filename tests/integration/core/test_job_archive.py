"""The archive of settled jobs: they are read, listed, changed and removed as before."""

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
    """A UUIDv7 of a time."""
    digits = f"{milliseconds:012x}7{secrets.randbits(76):019x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


async def ended(records: JobRecords, tenant: str, job: str = "") -> str:
    """Create a settled job, and return its key."""
    record = record_of(tenant, job or new_id())
    key = subjects.record(tenant, record.transcription_id)
    await records.create(key, record)
    return key


async def archived(records: JobRecords, tenant: str, job: str = "") -> str:
    """Create a job in the archive, and return its key."""
    key = await ended(records, tenant, job)
    assert await records.move_to_archive(key)
    assert await records.open.get(key) is None
    return key


def mark_audio(record: TranscriptionRecord) -> None:
    """Change the record."""
    record.audio_deleted = True


async def test_a_job_is_the_same_in_the_archive(records: JobRecords, tenant: str) -> None:
    """An archived job is read, changed and deleted by the same key as before."""
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


async def test_a_job_that_is_not_settled_is_not_archived(records: JobRecords, tenant: str) -> None:
    """A job stays if it runs, is being removed, has a pending callback, or is a part or a shadow."""
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
    """For any gaps between jobs, pages of any size have all jobs, the newest first."""
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


async def test_periods_with_many_jobs_are_read_in_narrow_ones(
    records: JobRecords, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Order and pages are the same if a period is divided into narrow ones."""
    monkeypatch.setattr("tiro_core.jobs.archive.MANY", 5)
    latest = present_moment() * round(NARROW_SECONDS * 1000)
    jobs = [id_made_at(latest - secrets.randbelow(DAY_MS // 4)) for _ in range(40)]
    for job in jobs:
        await archived(records, tenant, job)
    expected = sorted(jobs, reverse=True)
    assert await records.archive.newest(tenant, 100, None) == expected
    assert await records.archive.newest(tenant, 10, expected[9]) == expected[10:20]


async def test_the_mark_of_a_period_is_removed_with_its_last_job(records: JobRecords, tenant: str) -> None:
    """A list reads no empty period. A period that gets jobs again is found again."""
    keys = [await archived(records, tenant) for _ in range(2)]
    for key in keys:
        assert await records.archive._marks_of(tenant)
        await records.delete(key)
    assert not await records.archive._marks_of(tenant)
    key = await archived(records, tenant)
    assert await records.archive.newest(tenant, 10, None) == [key.partition(".")[2]]


async def test_concurrent_moves_of_one_job(records: JobRecords, bus: Bus, tenant: str) -> None:
    """Several services may move a job at once: it is in the archive once, and not among open jobs."""
    key = await ended(records, tenant)
    await asyncio.gather(*(JobRecords(bus).move_to_archive(key) for _ in range(5)))
    while await records.open.get(key) is not None:
        await records.move_to_archive(key)
    assert len(await records.archive.newest(tenant, 10, None)) == 1


@pytest.mark.parametrize("step", ["add", "delete"])
async def test_a_change_during_the_move_is_kept(
    records: JobRecords, bus: Bus, tenant: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change by another process between two steps of a move is kept, and a later move succeeds."""
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
    """A mover that stalls while another one archives the job and a caller changes it keeps that change."""
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


def test_periods_of_ids_and_of_times_agree() -> None:
    """The period of a new UUIDv7 is the present one."""
    before = present_moment()
    assert before <= moment_of_id(new_id()) <= present_moment()
    assert moment_of(0) == 0
