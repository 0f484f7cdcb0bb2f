"""Recognizing a recording: it is spooled from the store, decoded in another process, and transcribed by windows."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1.transcript_pb2 import Transcript
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.audio.decode import decode
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.pcm import pcm16_to_float32
from tiro_core.blobs.interface import BlobStore
from tiro_engines.interface import SAMPLE_RATE, OnAudioSent, Segment, Window
from tiro_transcriber import metrics
from tiro_transcriber.engine.host import EngineHost
from tiro_transcriber.engine.suitability import require_served
from tiro_transcriber.engine.usage_meter import UsageMeter
from tiro_transcriber.errors import require_consent
from tiro_transcriber.jobs.audio_range import AudioRange, DecodeOutcome
from tiro_transcriber.jobs.chunks import AudioChunk, split
from tiro_transcriber.jobs.recording import Recording
from tiro_transcriber.jobs.spool import spooled
from tiro_transcriber.jobs.transcript_builder import TranscriptBuilder
from tiro_transcriber.jobs.transcript_writer import TranscriptWriter
from tiro_transcriber.jobs.turns import turns

MULTILINGUAL_SECONDS = 30
"""The longest window of a recording in which the language may change: the language is detected once for each window."""


class Recognizer:
    """Recognizes whole recordings."""

    def __init__(
        self,
        host: EngineHost,
        blobs: BlobStore,
        launcher: MediaLauncher,
        usage: UsageMeter,
        *,
        limits: DecodeLimits,
        window_seconds: int,
        spool_dir: Path | None,
    ) -> None:
        self._host = host
        self._blobs = blobs
        self._launcher = launcher
        self._usage = usage
        self._limits = limits
        self._window_seconds = window_seconds
        self._spool_dir = spool_dir

    async def recognize(
        self, record: TranscriptionRecord, recording: Recording, writer: TranscriptWriter
    ) -> Transcript:
        """Transcribe a job's recording, giving segments to `writer` as they are decoded.

        Args:
            record: The job.
            recording: The recording.
            writer: The transcript.

        Returns:
            The description of the transcript, without the writer's warnings.

        Raises:
            AudioError: The recording cannot be decoded.
            PartMissing: The recording is not in the store, or damaged there.
            TiroError: The recording must not be sent to this engine, or the engine does not support the options.
        """
        require_consent(self._host.engine, record)
        require_served(self._host.engine, record)
        async with self._spooled(record, recording.size) as file:
            if record.options.separate_channels:
                return await self._by_channel(file, record, recording, writer)
            return await self._mixed(file, record, recording, writer)

    async def _mixed(
        self, file: IO[bytes], record: TranscriptionRecord, recording: Recording, writer: TranscriptWriter
    ) -> Transcript:
        builder = TranscriptBuilder(record.config, record.options)
        run = _Pass(builder, writer, writer.add, writer.report_progress, self._usage.of(record.tenant), recording)
        outcome = await self._run(run, file, record.options)
        return builder.transcript(self._host.engine.model, outcome, writer.segment_count)

    async def _by_channel(
        self, file: IO[bytes], record: TranscriptionRecord, recording: Recording, writer: TranscriptWriter
    ) -> Transcript:
        """Transcribe one channel after the other. Segments are written after the last channel, in the order of time."""
        builder = TranscriptBuilder(record.config, record.options)
        segments: list[tuple[Segment, int]] = []
        seconds, channels = record.audio_duration.ToNanoseconds() / 1e9, recording.channels

        def of_channel(channel: int) -> _Pass:
            return _Pass(
                builder,
                writer,
                lambda segment: segments.extend((turn, channel + 1) for turn in turns(segment)),
                lambda done: writer.report_progress((channel * seconds + done) / channels),
                self._usage.of(record.tenant),
                recording,
                channel,
            )

        outcomes = [await self._run(of_channel(channel), file, record.options) for channel in range(channels)]
        for segment, channel in sorted(segments, key=lambda item: (item[0].start, item[1])):
            await writer.wait_for_capacity()
            writer.add(segment, channel=channel)
        return builder.transcript(self._host.engine.model, outcomes[-1], writer.segment_count)

    async def _run(self, run: "_Pass", file: IO[bytes], options: TranscriptionOptions) -> DecodeOutcome:
        audio_range = AudioRange(options)
        longest = MULTILINGUAL_SECONDS if options.multilingual else self._window_seconds
        decoding = decode(
            self._launcher,
            file,
            rate=SAMPLE_RATE,
            channel=run.channel,
            track=run.recording.track,
            container=run.recording.container,
            limits=self._limits,
        )
        async with decoding as stream:
            audio = audio_range.until_end(stream)
            async with aclosing(audio), aclosing(split(audio, longest, start=audio_range.start)) as chunks:
                await self._windows(run, chunks)
            return audio_range.outcome(stream.report)

    async def _windows(self, run: "_Pass", chunks: AsyncIterator[AudioChunk]) -> None:
        while True:
            with metrics.step("decode"):
                chunk = await anext(chunks, None)
            if chunk is None:
                break
            window = Window(pcm16_to_float32(chunk.samples), chunk.offset, run.on_audio_sent)
            with metrics.step("engine"):
                try:
                    result = await self._host.transcribe(
                        window, run.builder.options(self._host.engine.capabilities.languages), run.emit
                    )
                finally:
                    self._usage.write_soon()
            run.builder.add(result)
            for dropped in result.dropped:
                await run.writer.add_dropped(dropped)
            run.report_progress(chunk.end / SAMPLE_RATE)
            await run.writer.wait_for_capacity()

    def _spooled(self, record: TranscriptionRecord, size: int) -> AbstractAsyncContextManager[IO[bytes]]:
        return spooled(self._blobs, tenant=record.tenant, upload_id=record.upload_id, size=size, folder=self._spool_dir)


@dataclass(frozen=True, slots=True)
class _Pass:
    """One pass over a recording: all channels mixed, or one of them."""

    builder: TranscriptBuilder
    writer: TranscriptWriter
    emit: Callable[[Segment], None]
    """Called for each segment."""
    report_progress: Callable[[float], None]
    """Called after each window with its end in the recording, in seconds."""
    on_audio_sent: OnAudioSent
    recording: Recording
    channel: int | None = None
    """The channel that is transcribed, from 0. None: all of them, mixed."""
