"""Splitting a long recording into parts while it is decoded; any worker transcribes each part.

The owner of the job splits the recording, follows the parts, and merges their transcripts. It needs no slot for that.
When the owner is lost, the next one continues after the last part that was made. The transcripts of the parts are kept
until the job is over.
"""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1.transcript_pb2 import Transcript
from tiro_core.audio.decode import decode
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.blobs.interface import BlobStore
from tiro_core.jobs.removal import remove_parts
from tiro_core.messaging.connection import Bus
from tiro_core.routing.workers import WorkerDirectory
from tiro_engines.interface import SAMPLE_RATE, ModelInfo
from tiro_transcriber.jobs.audio_range import AudioRange, DecodeOutcome
from tiro_transcriber.jobs.chunks import split
from tiro_transcriber.jobs.merger import PartMerger
from tiro_transcriber.jobs.parts import Parts, open_parts
from tiro_transcriber.jobs.recording import Recording
from tiro_transcriber.jobs.spool import spooled
from tiro_transcriber.jobs.transcript_builder import TranscriptBuilder
from tiro_transcriber.jobs.transcript_writer import TranscriptWriter

SPLITS_MAX = 4
"""The most jobs that one worker splits at a time: each has a decoder, and parts in the store. Others are not split."""
UNFINISHED_PER_SLOT = 2
"""Parts that may wait or run, for each slot of the live workers. With more, splitting waits for the engines."""
UNFINISHED_MIN = 4


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """When and how recordings are split."""

    seconds_min: float
    """The shortest recording that is split. 0: none is."""
    part_seconds: int
    """The longest part."""


class JobSplitter:
    """Splits jobs and merges their parts, for one worker."""

    def __init__(
        self,
        bus: Bus,
        blobs: BlobStore,
        launcher: MediaLauncher,
        workers: WorkerDirectory,
        model: ModelInfo,
        *,
        settings: SplitSettings,
        limits: DecodeLimits,
        spool_dir: Path | None,
    ) -> None:
        self._bus = bus
        self._blobs = blobs
        self._launcher = launcher
        self._workers = workers
        self._model = model
        self._settings = settings
        self._limits = limits
        self._spool_dir = spool_dir
        self._active = 0

    def should_split(self, record: TranscriptionRecord) -> bool:
        """Whether a job is to be split: it is long and several workers can share it, or it is split already."""
        if record.split:
            return True
        is_long = 0 < self._settings.seconds_min <= record.audio_duration.ToNanoseconds() / 1e9
        is_whole = not record.HasField("part") and not record.options.separate_channels
        return is_long and is_whole and self._slots() > 1 and self._active < SPLITS_MAX

    async def transcribe(
        self, record: TranscriptionRecord, recording: Recording, writer: TranscriptWriter
    ) -> Transcript:
        """Have a job transcribed in parts, and pass their segments to `writer` in order.

        Args:
            record: The job, marked as split.
            recording: Its recording.
            writer: The transcript.

        Returns:
            The description of the transcript, without the writer's warnings.

        Raises:
            AudioError: The recording cannot be decoded.
            PartMissing: The recording, or a part's transcript, is not in the store.
            TiroError: A part has failed for good.
            OwnershipLost: The job was cancelled or deleted, and its parts with it.
        """
        self._active += 1
        try:
            async with open_parts(self._bus, self._blobs, record) as parts, asyncio.TaskGroup() as tasks:
                splitting = tasks.create_task(self._split(record, recording, parts), name="splitting")
                builder = TranscriptBuilder(record.config, record.options)
                await PartMerger(self._blobs, parts, builder, writer).run()
                return builder.transcript(self._model, await splitting, writer.segment_count)
        finally:
            self._active -= 1

    async def clean(self, tenant: str, job: str) -> None:
        """Remove the parts of a job that is over, if there are any."""
        await remove_parts(self._bus, self._blobs, tenant, job)

    async def _split(self, record: TranscriptionRecord, recording: Recording, parts: Parts) -> DecodeOutcome:
        audio_range = AudioRange(record.options)
        start = max(audio_range.start, parts.split_until)
        spool = spooled(
            self._blobs, tenant=record.tenant, upload_id=record.upload_id, size=recording.size, folder=self._spool_dir
        )
        async with (
            spool as file,
            decode(
                self._launcher,
                file,
                rate=SAMPLE_RATE,
                track=recording.track,
                container=recording.container,
                limits=self._limits,
            ) as stream,
            aclosing(audio_range.until_end(stream)) as audio,
            aclosing(split(audio, self._settings.part_seconds, start=start)) as chunks,
        ):
            async for chunk in chunks:
                await parts.wait_for_room(max(UNFINISHED_MIN, UNFINISHED_PER_SLOT * self._slots()))
                await parts.make(chunk)
            await parts.complete()
            return audio_range.outcome(stream.report)

    def _slots(self) -> int:
        return sum(worker.job_slots for worker in self._workers.offering(self._model.engine, self._model.model))
