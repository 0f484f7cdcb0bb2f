"""Expiry entries: when something is to be done about a job in the archive, kept by the time when it is due."""

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
        """Note when something is to be done, in seconds of Unix time. It is found once that moment has passed."""
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
    """When something is to be done about a job that is over: its recording expires first, then itself.

    A recording is removed in two steps: `audio_expire_time` is set to the present, and `audio_deleted` once it is gone.
    """
    due = record.expire_time if record.audio_deleted else record.audio_expire_time
    return due.ToNanoseconds() / 1e9
