"""Expiry entries: the due times of archived jobs, as keys that begin with the time.

The first three tokens of a key are the moment at which its job is due (see `time_buckets`): four, two and two
hexadecimal digits. So the entries of a span of time are found by one, two or three tokens.
"""

from collections.abc import AsyncIterator

from tiro.events.v1.transcription_pb2 import ExpiryEntry, TranscriptionRecord
from tiro_core.jobs.time_buckets import moment_of
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import subjects_in
from tiro_core.messaging.records import RecordStore

WIDEST = 1 << 16
"""The moments of a bucket of one token: 50 days."""
_LENGTHS = (WIDEST, 1 << 8, 1)
"""The moments of buckets of one, two and three tokens: 50 days, 4 h 40 min and 65.536 s."""


def widest_bucket(moment: int, present: int) -> tuple[str, int]:
    """The longest bucket that begins at a moment and has passed.

    Args:
        moment: A moment.
        present: The present moment. Its bucket, which has not passed, is returned where it is `moment`.

    Returns:
        The tokens of the bucket, and its length in moments.
    """
    tokens = _tokens(moment).split(".")
    for count, length in enumerate(_LENGTHS[:-1], 1):
        if moment % length == 0 and moment + length <= present:
            return ".".join(tokens[:count]), length
    return ".".join(tokens), 1


def _tokens(moment: int) -> str:
    return f"{moment >> 16:04x}.{moment >> 8 & 0xFF:02x}.{moment & 0xFF:02x}"


class ExpiryEntries:
    """The entries of all jobs. They are hints: the record decides."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._records = RecordStore(bus, topology.EXPIRY_BUCKET, ExpiryEntry)

    async def add(self, tenant: str, job: str, due_seconds: float) -> None:
        """Add an entry for a job with its due time, in seconds of Unix time."""
        await self._records.put(f"{_tokens(moment_of(due_seconds) + 1)}.{tenant}.{job}", ExpiryEntry())

    async def add_next(self, record: TranscriptionRecord) -> None:
        """Add an entry for the next due time of a job that is over, if it has one."""
        due_seconds = next_due_seconds(record)
        if due_seconds is not None:
            await self.add(record.tenant, record.transcription_id, due_seconds)

    async def due_in(self, bucket: str) -> AsyncIterator[str]:
        """The keys of the entries in a bucket of one to three tokens."""
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


def next_due_seconds(record: TranscriptionRecord) -> float | None:
    """The next due time of a job that is over: first its recording expires, then the job. None: it has none.

    A recording is removed in two steps: `audio_expire_time` is set to the present, then `audio_deleted` once it is
    removed.
    """
    if record.audio_deleted:
        return record.expire_time.ToNanoseconds() / 1e9 if record.HasField("expire_time") else None
    return record.audio_expire_time.ToNanoseconds() / 1e9 if record.HasField("audio_expire_time") else None
