"""The parts of one long job, for the worker that splits it: it makes them, and follows them to their ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.audio.pcm import SAMPLE_BYTES
from tiro_core.audio.wav import wav_header
from tiro_core.blobs.interface import BlobStore
from tiro_core.blobs.keys import upload_key
from tiro_core.blobs.settling import settled
from tiro_core.blobs.writer import BlobWriter
from tiro_core.clock import duration_of, now
from tiro_core.jobs.states import TERMINAL
from tiro_core.jobs.transitions import accept
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.records import CAUGHT_UP, Change, RecordStore
from tiro_engines.interface import SAMPLE_RATE
from tiro_transcriber.jobs.chunks import AudioChunk

SAMPLES_MIN = SAMPLE_RATE // 2
"""The shortest part. A shorter last part is padded with silence, because it would be refused as too short."""


class PartsDiffer(Exception):  # noqa: N818 - reads as the condition it reports
    """Two owners of a job have split its recording at different positions."""


class Parts:
    """Makes the parts of a job, and follows their states. Use `open_parts`.

    Attributes:
        split_until: The sample up to which owners before have split the recording.
    """

    def __init__(self, bus: Bus, blobs: BlobStore, job: TranscriptionRecord) -> None:
        self._records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self._blobs = blobs
        self._job = job
        self._known: dict[int, TranscriptionRecord] = {}
        self._next = 0
        self._total: int | None = None
        self.split_until = 0
        self._changed = asyncio.Condition()
        self._caught_up = asyncio.Event()

    @property
    def count(self) -> int:
        """The number of parts."""
        return len(self._known)

    async def make(self, chunk: AudioChunk) -> None:
        """Make the next part: its audio, then its record. From then on it waits for a worker as a job does.

        A part is kept until its job is over. If the job is deleted meanwhile, its parts are removed by prefix, also
        audio without a record. A cancelled write of the record is awaited: afterwards the record exists or not, so that
        it can be removed.

        Raises:
            PartsDiffer: An owner before has made another part with this index.
        """
        index, self._next = self._next, self._next + 1
        if index in self._known:
            await self._accept(index, chunk)
            return
        part_id = f"{self._job.transcription_id}.{index:05}"
        writer = BlobWriter(self._blobs, upload_key(self._job.tenant, part_id))
        silence = bytes(max(0, SAMPLES_MIN - len(chunk.samples)) * SAMPLE_BYTES)
        samples = chunk.samples.tobytes() + silence
        await writer.write(wav_header(SAMPLE_RATE, len(samples) // SAMPLE_BYTES) + samples)
        await writer.finish()
        record = self._record(part_id, chunk, writer.size)
        try:
            await settled(self._records.create(self._key(part_id), record))
        except Conflict:
            await self._accept(index, chunk)
        else:
            # The part may have changed since: what `follow` has read is newer.
            self._known.setdefault(index, record)

    async def _accept(self, index: int, chunk: AudioChunk) -> None:
        """Accept the part with this index that an owner before has made, which had not noticed that it was replaced.

        Raises:
            PartsDiffer: The part begins or ends at another sample, which cannot be with the same recording and
                settings.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: index in self._known)
        part = self._known[index].part
        if (part.offset, part.samples) != (chunk.offset, len(chunk.samples)):
            raise PartsDiffer(f"part {index} begins at {part.offset}, not at {chunk.offset}")

    async def wait_for_room(self, unfinished_max: int) -> None:
        """Wait until fewer than `unfinished_max` parts are not over."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._unfinished() < unfinished_max)

    async def complete(self) -> None:
        """Note that no more parts will be made."""
        async with self._changed:
            self._total = self._next
            self._changed.notify_all()

    async def ended(self, index: int) -> TranscriptionRecord | None:
        """Wait until a part is over. None when there is no such part."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._is_over(index) or (self._total is not None and index >= self._total)
            )
        return self._known.get(index)

    async def follow(self) -> None:
        """Follow the records of the parts, until cancelled."""
        async with self._records.watch(self._key(f"{self._job.transcription_id}.*")) as changes:
            async for change in changes:
                if change is CAUGHT_UP:
                    self._continue_after_known()
                elif isinstance(change, Change) and change.value is not None:
                    await self._take(int(change.key.rpartition(".")[2]), change.value)

    async def caught_up(self) -> None:
        """Wait until the existing parts, made by owners before, are known."""
        await self._caught_up.wait()

    def _continue_after_known(self) -> None:
        """Continue after the existing parts. Later ones are made by an owner that has not noticed its replacement."""
        if self._caught_up.is_set():
            return
        self._next = len(self._known)
        self.split_until = max((known.part.offset + known.part.samples for known in self._known.values()), default=0)
        self._caught_up.set()

    async def _take(self, index: int, record: TranscriptionRecord) -> None:
        async with self._changed:
            self._known[index] = record
            self._changed.notify_all()

    def _unfinished(self) -> int:
        return sum(record.state not in TERMINAL for record in self._known.values())

    def _is_over(self, index: int) -> bool:
        return index in self._known and self._known[index].state in TERMINAL

    def _key(self, part_id: str) -> str:
        return f"{self._job.tenant}.{part_id}"

    def _record(self, part_id: str, chunk: AudioChunk, size_bytes: int) -> TranscriptionRecord:
        job = self._job
        record = TranscriptionRecord(
            tenant=job.tenant,
            transcription_id=part_id,
            config=job.config,
            lane=job.lane,
            upload_id=part_id,
            audio_duration=duration_of(len(chunk.samples), SAMPLE_RATE),
            create_time=now(),
            allowed_clouds=job.allowed_clouds,
            part=TranscriptionRecord.Part(offset=chunk.offset, samples=len(chunk.samples), size_bytes=size_bytes),
        )
        if job.HasField("options"):
            record.options.CopyFrom(job.options)
            record.options.ClearField("audio_start")
            record.options.ClearField("audio_end")
            record.options.ClearField("audio_track")
        accept(record, has_audio=True)
        return record


@asynccontextmanager
async def open_parts(bus: Bus, blobs: BlobStore, job: TranscriptionRecord) -> AsyncIterator[Parts]:
    """The parts of a job, with those that owners before have made, followed while the context lasts."""
    parts = Parts(bus, blobs, job)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(parts.follow(), name="parts")
        await parts.caught_up()
        yield parts
        following.cancel()
