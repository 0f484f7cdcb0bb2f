"""Expiry entries: the due times of archived jobs, as keys that begin with the time."""

from collections.abc import AsyncIterator

from tiro.events.v1.transcription_pb2 import ExpiryEntry, TranscriptionRecord
from tiro_core.jobs.time_buckets import bucket_tokens, moment_of
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import subjects_in
from tiro_core.messaging.records import RecordStore


class ExpiryEntries:
    """The entries of all jobs. They are hints: the record decides."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._records = RecordStore(bus, topology.EXPIRY_BUCKET, ExpiryEntry)

    async def add(self, tenant: str, job: str, due_seconds: float) -> None:
        """Add an entry for a job with its due time, in seconds of Unix time."""
        await self._records.put(f"{bucket_tokens(moment_of(due_seconds) + 1)}.{tenant}.{job}", ExpiryEntry())

    async def due_in(self, bucket: str) -> AsyncIterator[str]:
        """The keys of the entries in a bucket: one or two tokens."""
        prefix = topology.bucket_subject(topology.EXPIRY_BUCKET, "")
        found = [
            subject[len(prefix) :]
            async for subject in subjects_in(
                self._bus, topology.bucket_stream(topology.EXPIRY_BUCKET), f"{prefix}{bucket}.>"
            )
        ]
        for key in found:
            yield key

    async def remove(self, key: str) -> None:
        """Remove an entry whose work is done."""
        await self._records.purge(key)


def next_due_seconds(record: TranscriptionRecord) -> float:
    """The next due time of a job that is over: first its recording expires, then the job.

    A recording is removed in two steps: `audio_expire_time` is set to the present, then `audio_deleted` once it is
    removed.
    """
    due = record.expire_time if record.audio_deleted else record.audio_expire_time
    return due.ToNanoseconds() / 1e9
