"""The records of all jobs: in the bucket of open jobs until they are over and settled, then in the archive.

Readers and writers try the bucket first and then the archive. A record moves once: it is added to the archive before it
is deleted from the bucket, and deleted only if it has not changed meanwhile.
"""

from collections.abc import Callable

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Callback
from tiro_core.jobs.archive import JobArchive
from tiro_core.jobs.shadows import wants_shadow
from tiro_core.jobs.states import TERMINAL
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.records import RecordStore, Stored


class JobRecords:
    """The records of jobs, in the bucket or the archive. Keys are `<tenant>.<job>`."""

    def __init__(self, bus: Bus) -> None:
        self.open = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        """Jobs that are not over, or over for a short time, or with something left to do."""
        self.archive = JobArchive(bus)

    async def get(self, key: str) -> Stored[TranscriptionRecord] | None:
        """Read a record. None when it does not exist."""
        return await self.open.get(key) or await self.archive.get(*_names(key))

    async def create(self, key: str, record: TranscriptionRecord) -> Stored[TranscriptionRecord]:
        """Write the record of a new job.

        Raises:
            Conflict: The record exists.
        """
        return await self.open.create(key, record)

    async def mutate(self, key: str, change: Callable[[TranscriptionRecord], None]) -> Stored[TranscriptionRecord]:
        """Change a record; see `RecordStore.mutate`.

        Raises:
            KeyError: There is no such record.
            Conflict: Another writer was faster at every try.
        """
        try:
            return await self.open.mutate(key, change)
        except KeyError:
            return await self.archive.mutate(*_names(key), change)

    async def delete(self, key: str) -> None:
        """Delete a record from the bucket and the archive."""
        if await self.open.get(key) is not None:
            await self.open.delete(key)
        await self.archive.remove(*_names(key))

    async def move_to_archive(self, key: str) -> bool:
        """Move the record of a settled job. Returns whether the archive has it now, whichever service moved it."""
        stored = await self.open.get(key)
        if stored is None or not is_settled(stored.value):
            return stored is None
        added = await self._add_copy(stored)
        try:
            if added is None and not await self._replace_copy(key, stored):
                return False
            await self.open.delete(key, stored)
        except Conflict:  # the record was changed or deleted, or another service moves it
            if added is not None:
                await self._withdraw_copy(key, added)
            return False
        return True

    async def _add_copy(self, stored: Stored[TranscriptionRecord]) -> Stored[TranscriptionRecord] | None:
        """Add a copy of a record to the archive. None: the archive has one already."""
        try:
            return await self.archive.add(stored.value)
        except Conflict:
            return None

    async def _replace_copy(self, key: str, stored: Stored[TranscriptionRecord]) -> bool:
        """Replace the archive's copy of a record by this state of it. Returns whether the archive has this state now.

        The copy was added by a move that was not finished, or that was finished after `stored` was read. So the open
        record is read again after the archived one: while the open record exists, no writer changes the archived one.

        Raises:
            Conflict: Another service has written the archived record meanwhile.
        """
        archived = await self.archive.get(*_names(key))
        newest = await self.open.get(key)
        if archived is None or newest is None or newest.revision != stored.revision:
            return False
        await self.archive.replace(stored.value, archived)
        return True

    async def _withdraw_copy(self, key: str, added: Stored[TranscriptionRecord]) -> None:
        """Remove a copy that was added to the archive after its job had been deleted from the bucket and the archive.

        A copy that another service has replaced meanwhile, because it moved the job, stays.
        """
        if await self.open.get(key) is None:
            await self.archive.remove(*_names(key), revision=added.revision)


def is_settled(record: TranscriptionRecord) -> bool:
    """Whether a job is over and nothing is left to do about it. Parts and shadows are removed rather than settled."""
    return (
        record.state in TERMINAL
        and not record.removing
        and not record.HasField("part")
        and not record.shadow_of
        and not wants_shadow(record)
        and record.callback.state != Callback.STATE_PENDING
    )


def _names(key: str) -> tuple[str, str]:
    tenant, _, job = key.partition(".")
    return tenant, job
