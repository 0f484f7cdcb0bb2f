"""Reading and listing jobs."""

import asyncio
from collections.abc import Sequence

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import TiroError, not_found
from tiro_core.jobs.records import JobRecords
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import Unreadable
from tiro_core.messaging.records import Stored
from tiro_core.messaging.subjects import record as record_key
from tiro_ingest.jobs.index import OpenJobs
from tiro_ingest.resources.names import transcription_name
from tiro_ingest.resources.paging import page_token, position_of

PAGE_SIZE_DEFAULT = 50
PAGE_BYTES_MAX = 2 * 1024 * 1024
"""The most bytes of records on a page. gRPC clients accept messages up to 4 MiB by default."""
READS_AT_ONCE = 64
"""Records that are read at the same time for a page."""

log = get_logger()


class Transcriptions:
    """The jobs of all tenants."""

    def __init__(self, records: JobRecords, open_jobs: OpenJobs) -> None:
        self._records = records
        self._open_jobs = open_jobs

    async def get(self, tenant: str, job_id: str) -> TranscriptionRecord:
        """Read a job.

        Raises:
            TiroError: NOT_FOUND.
        """
        stored = await self._records.get(record_key(tenant, job_id))
        if stored is None or stored.value.removing:
            raise no_transcription(job_id)
        return stored.value

    async def list(self, tenant: str, page_size: int, token: str) -> tuple[Sequence[TranscriptionRecord], str]:
        """A page of a tenant's jobs, the newest first, and the token of the next page, empty on the last.

        A page is shorter than requested where its jobs are large, being removed, or unreadable. A job that another
        ingest service has just accepted may be missing.

        Raises:
            TiroError: INVALID_ARGUMENT; the token is not one that this service returned.
        """
        scope = f"transcriptions/{tenant}"
        before = position_of(token, scope) if token else None
        size = page_size or PAGE_SIZE_DEFAULT
        found = await self._newest(tenant, size + 1, before)
        page, count = await self._read(tenant, found[:size])
        return page, page_token(scope, found[count - 1]) if len(found) > count else ""

    async def _newest(self, tenant: str, count: int, before: str | None) -> Sequence[str]:
        """Ids of open and archived jobs, the newest first.

        Open jobs are read first, so that a job that moves to the archive meanwhile is not missed.
        """
        open_jobs = self._open_jobs.newest(tenant, count, before)
        archived = await self._records.archive.newest(tenant, count, before)
        return sorted({*open_jobs, *archived}, reverse=True)[:count]

    async def _read(self, tenant: str, ids: Sequence[str]) -> tuple[Sequence[TranscriptionRecord], int]:
        """The records of the first of these jobs, as many as a page holds, and the number of their ids."""
        found: list[TranscriptionRecord] = []
        size = 0
        for first in range(0, len(ids), READS_AT_ONCE):
            stored = await self._read_some(tenant, ids[first : first + READS_AT_ONCE])
            for index, item in enumerate(stored, first):
                if item is None or item.value.removing:
                    continue
                size += item.value.ByteSize()
                if found and size > PAGE_BYTES_MAX:
                    return found, index
                found.append(item.value)
        return found, len(ids)

    async def _read_some(self, tenant: str, ids: Sequence[str]) -> Sequence[Stored[TranscriptionRecord] | None]:
        """The records of these jobs: those that are not open together, the others one by one, from their leader."""
        settled = [job_id for job_id in ids if not self._open_jobs.has(tenant, job_id)]
        archived = await self._records.archive.get_many(tenant, settled)

        async def read(job_id: str) -> Stored[TranscriptionRecord] | None:
            return archived.get(job_id) or await self._read_for_list(record_key(tenant, job_id))

        return await asyncio.gather(*map(read, ids))

    async def _read_for_list(self, key: str) -> Stored[TranscriptionRecord] | None:
        """A record. None where it is missing, or cannot be read: that is no reason to fail the list."""
        try:
            return await self._records.get(key)
        except Unreadable as error:
            log.warning("job_not_listed", reason=str(error))
            return None


def no_transcription(job_id: str) -> TiroError:
    """The error for a job that does not exist, or is not the caller's."""
    message = f"there is no transcription {transcription_name(job_id)!r}"
    return not_found(reasons.ERROR_REASON_TRANSCRIPTION_NOT_FOUND, message)
