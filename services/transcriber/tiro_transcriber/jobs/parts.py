"""The parts of one long job, as the worker that cuts it sees them: made, followed to their ends."""

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
"""A shorter last part is filled up with silence: less would be refused as too short to be a recording."""


class PartsDiffer(Exception):  # noqa: N818 - reads as the condition it reports
    """Two owners of a job have cut its recording in different places."""


class Parts:
    """Makes the parts of a job, and knows how each of them is doing. Use `open_parts`.

    Attributes:
        cut_until: The sample up to which owners before have cut the recording.
    """

    def __init__(self, bus: Bus, blobs: BlobStore, job: TranscriptionRecord) -> None:
        self._records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self._blobs = blobs
        self._job = job
        self._known: dict[int, TranscriptionRecord] = {}
        self._next = 0
        self._total: int | None = None
        self.cut_until = 0
        self._changed = asyncio.Condition()
        self._caught_up = asyncio.Event()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._known)

    async def make(self, piece: AudioChunk) -> None:
        """Make the next part: its audio, then its record. It waits for a worker like a job from here on.

        It stays until its job is over. What a job leaves that is deleted meanwhile is removed by prefix, so that the
        audio goes also where the record was never written; and a record whose write was cancelled is there or not when
        this ends, so that it can be removed.

        Raises:
            PartsDiffer: An owner before has made another one here.
        """
        index, self._next = self._next, self._next + 1
        if index in self._known:
            await self._accept(index, piece)
            return
        part_id = f"{self._job.transcription_id}.{index:05}"
        writer = BlobWriter(self._blobs, upload_key(self._job.tenant, part_id))
        silence = bytes(max(0, SAMPLES_MIN - len(piece.samples)) * SAMPLE_BYTES)
        samples = piece.samples.tobytes() + silence
        await writer.write(wav_header(SAMPLE_RATE, len(samples) // SAMPLE_BYTES) + samples)
        await writer.finish()
        record = self._record(part_id, piece, writer.size)
        try:
            await settled(self._records.create(self._key(part_id), record))
        except Conflict:
            await self._accept(index, piece)
        else:
            await self._take(index, record)

    async def _accept(self, index: int, piece: AudioChunk) -> None:
        """Take the part that an owner before us has made here, not yet aware that it was replaced.

        Raises:
            PartsDiffer: It was cut elsewhere, which the same recording and settings exclude.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: index in self._known)
        part = self._known[index].part
        if (part.offset, part.samples) != (piece.offset, len(piece.samples)):
            raise PartsDiffer(f"part {index} begins at {part.offset}, not at {piece.offset}")

    async def wait_for_room(self, unfinished_max: int) -> None:
        """Wait until fewer parts than that are not over."""
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
        """Take in what happens to the parts, until cancelled."""
        async with self._records.watch(self._key(f"{self._job.transcription_id}.*")) as changes:
            async for change in changes:
                if change is CAUGHT_UP:
                    self._go_on()
                elif isinstance(change, Change) and change.value is not None:
                    await self._take(int(change.key.rpartition(".")[2]), change.value)

    async def caught_up(self) -> None:
        """Wait until the parts that an owner before has made are known."""
        await self._caught_up.wait()

    def _go_on(self) -> None:
        """Begin behind the parts that are there. What comes later comes from an owner that does not know of us yet."""
        if self._caught_up.is_set():
            return
        self._next = len(self._known)
        self.cut_until = max((known.part.offset + known.part.samples for known in self._known.values()), default=0)
        self._caught_up.set()

    async def _take(self, index: int, record: TranscriptionRecord) -> None:
        async with self._changed:
            known = self._known.get(index)
            if known is None or record.epoch >= known.epoch:
                self._known[index] = record
            self._changed.notify_all()

    def _unfinished(self) -> int:
        return sum(record.state not in TERMINAL for record in self._known.values())

    def _is_over(self, index: int) -> bool:
        return index in self._known and self._known[index].state in TERMINAL

    def _key(self, part_id: str) -> str:
        return f"{self._job.tenant}.{part_id}"

    def _record(self, part_id: str, piece: AudioChunk, size_bytes: int) -> TranscriptionRecord:
        job = self._job
        record = TranscriptionRecord(
            tenant=job.tenant,
            transcription_id=part_id,
            config=job.config,
            lane=job.lane,
            upload_id=part_id,
            audio_duration=duration_of(len(piece.samples), SAMPLE_RATE),
            create_time=now(),
            allowed_clouds=job.allowed_clouds,
            part=TranscriptionRecord.Part(offset=piece.offset, samples=len(piece.samples), size_bytes=size_bytes),
        )
        if job.HasField("options"):
            record.options.CopyFrom(job.options)
            record.options.ClearField("audio_start")
            record.options.ClearField("audio_end")
        accept(record, has_audio=True)
        return record


@asynccontextmanager
async def open_parts(bus: Bus, blobs: BlobStore, job: TranscriptionRecord) -> AsyncIterator[Parts]:
    """The parts of a job, those that an owner before has made included, followed while the context lasts."""
    parts = Parts(bus, blobs, job)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(parts.follow(), name="parts")
        await parts.caught_up()
        yield parts
        following.cancel()
