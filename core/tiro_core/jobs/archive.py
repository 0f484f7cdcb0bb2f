"""The archive: the records of jobs that are over. Their number costs no memory, and no time when a service starts.

The key of a record has the time at which its job was created: `<tenant>.<wide>.<narrow>.<job>`. So the jobs of a span
of time are found by a prefix. A mark `<tenant>.<wide>` says that a wide bucket of a tenant holds jobs. A second mark,
`<tenant>.<wide>.many`, says that it holds many: such a bucket is read narrow bucket by narrow bucket.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress

from tiro.events.v1.transcription_pb2 import ArchiveMark, TranscriptionRecord
from tiro_core.jobs.time_buckets import NARROW_IN_WIDE, bucket_tokens, moment_of_id, narrow_bucket, wide_bucket
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.operations import subjects_in
from tiro_core.messaging.records import RecordStore, Stored

MANY = 1000
"""A wide bucket of a tenant in which one process has counted this number of jobs is marked as one that holds many."""
COUNTED_MAX = 4096
"""The most wide buckets whose jobs a process counts: the latest ones."""
READ_FIRST = 2
"""Buckets whose keys are listed first, at the same time."""
READ_AT_ONCE = 8
"""Buckets whose keys are then listed at the same time."""

_MANY = "many"


class JobArchive:
    """The records of jobs that are over."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._records = RecordStore(bus, topology.JOB_ARCHIVE_BUCKET, TranscriptionRecord)
        self._marks = RecordStore(bus, topology.JOB_ARCHIVE_MARKS_BUCKET, ArchiveMark)
        self._counted: OrderedDict[str, int] = OrderedDict()

    async def get(self, tenant: str, job: str) -> Stored[TranscriptionRecord] | None:
        """Read a record. None when it is not in the archive."""
        key = _key(tenant, job)
        return await self._records.get(key) if key else None

    async def get_many(self, tenant: str, jobs: Sequence[str]) -> dict[str, Stored[TranscriptionRecord]]:
        """Read records by the ids of their jobs; see `RecordStore.get_many`."""
        found = await self._records.get_many([_key(tenant, job) for job in jobs])
        return {stored.value.transcription_id: stored for stored in found.values()}

    async def mutate(
        self, tenant: str, job: str, change: Callable[[TranscriptionRecord], None]
    ) -> Stored[TranscriptionRecord]:
        """Change a record; see `RecordStore.mutate`.

        Raises:
            KeyError: The record is not in the archive.
        """
        key = _key(tenant, job)
        if not key:
            raise KeyError(job)
        return await self._records.mutate(key, change)

    async def add(self, record: TranscriptionRecord) -> Stored[TranscriptionRecord]:
        """Add a record that the archive does not have yet.

        Raises:
            Conflict: The archive has it.
        """
        added = await self._records.create(_key(record.tenant, record.transcription_id), record)
        await self._mark(record)
        return added

    async def replace(self, record: TranscriptionRecord, stored: Stored[TranscriptionRecord]) -> None:
        """Replace a record that was added before its job changed once more.

        Raises:
            Conflict: Another process has written to it since it was read.
        """
        await self._records.update(_key(record.tenant, record.transcription_id), record, stored)
        await self._mark(record)

    async def remove(self, tenant: str, job: str, *, revision: int | None = None) -> None:
        """Remove a record, and the marks of its bucket when it was the last one there. Does nothing without the record.

        Args:
            tenant: The tenant of the job.
            job: The id of the job.
            revision: Remove only this revision: a record that was written since stays. None: remove any.
        """
        key = _key(tenant, job)
        if not key:
            return
        await self._records.purge(key, revision=revision)
        wide = f"{tenant}.{wide_bucket(moment_of_id(job))}"
        if await self._is_empty(wide):
            for mark in (wide, f"{wide}.{_MANY}"):
                await self._marks.purge(mark)
            self._counted.pop(wide, None)
            if not await self._is_empty(wide):  # another process has added one meanwhile, and found the mark there
                await self._create_mark(wide)

    async def newest(self, tenant: str, count: int, before: str | None) -> list[str]:
        """Ids of a tenant's jobs in the archive, the newest first.

        Args:
            tenant: The tenant of the jobs.
            count: The most ids to return.
            before: Only jobs that are older than the one with this id. None: all.
        """
        last = moment_of_id(before) if before else None
        found: list[str] = []
        for some in _chunks(await self._buckets(tenant, last)):
            for keys in await asyncio.gather(*(self._ids(f"{tenant}.{bucket}") for bucket in some)):
                found += sorted((job for job in keys if before is None or job < before), reverse=True)
            if len(found) >= count:
                break
        return found[:count]

    async def _buckets(self, tenant: str, last: int | None) -> Sequence[str]:
        """The buckets of a tenant that may hold jobs up to a moment, the newest first, as tokens of keys."""
        marks = set(await self._marks_of(tenant))
        wide_buckets = sorted((mark for mark in marks if "." not in mark), reverse=True)
        buckets: list[str] = []
        for wide in wide_buckets:
            if last is not None and wide > wide_bucket(last):
                continue
            if f"{wide}.{_MANY}" not in marks:
                buckets.append(wide)
                continue
            is_first = last is not None and wide == wide_bucket(last)
            newest = last & 0xFF if is_first and last is not None else NARROW_IN_WIDE - 1
            buckets += [f"{wide}.{narrow_bucket(narrow)}" for narrow in range(newest, -1, -1)]
        return buckets

    async def _marks_of(self, tenant: str) -> list[str]:
        subject = topology.bucket_subject(topology.JOB_ARCHIVE_MARKS_BUCKET, f"{tenant}.")
        stream = topology.bucket_stream(topology.JOB_ARCHIVE_MARKS_BUCKET)
        return [one[len(subject) :] async for one in subjects_in(self._bus, stream, f"{subject}>")]

    async def _ids(self, prefix: str) -> list[str]:
        return [job async for job in self._ids_below(prefix)]

    async def _ids_below(self, prefix: str) -> AsyncIterator[str]:
        subject = topology.bucket_subject(topology.JOB_ARCHIVE_BUCKET, f"{prefix}.>")
        async for one in subjects_in(self._bus, topology.bucket_stream(topology.JOB_ARCHIVE_BUCKET), subject):
            yield one.rpartition(".")[2]

    async def _is_empty(self, prefix: str) -> bool:
        return not await self._ids(prefix)

    async def _mark(self, record: TranscriptionRecord) -> None:
        """Mark the bucket of a record that was written. Marks that this process wrote lately are not written again."""
        wide = f"{record.tenant}.{wide_bucket(moment_of_id(record.transcription_id))}"
        count = self._counted.pop(wide, 0) + 1
        self._counted[wide] = count
        while len(self._counted) > COUNTED_MAX:
            self._counted.popitem(last=False)
        if count == 1:
            await self._create_mark(wide)
        elif count == MANY:
            await self._create_mark(f"{wide}.{_MANY}")

    async def _create_mark(self, mark: str) -> None:
        with suppress(Conflict):  # the mark exists
            await self._marks.create(mark, ArchiveMark())


def _key(tenant: str, job: str) -> str:
    """The key of a job's record. Empty for parts and shadows, whose ids are no UUIDv7: the archive has none of them."""
    try:
        return f"{tenant}.{bucket_tokens(moment_of_id(job))}.{job}" if "." not in job else ""
    except ValueError:
        return ""


def _chunks(buckets: Sequence[str]) -> Iterator[Sequence[str]]:
    """The buckets to list at the same time: the first ones alone, because they often hold enough jobs for a page."""
    first, count = 0, READ_FIRST
    while first < len(buckets):
        yield buckets[first : first + count]
        first, count = first + count, READ_AT_ONCE
