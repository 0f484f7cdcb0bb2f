"""From a recording in the store to its segments: spooled, decoded in another process, recognized window by window."""

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
from tiro_transcriber.engine.conversion import to_proto
from tiro_transcriber.engine.host import EngineHost
from tiro_transcriber.engine.suitability import require_served
from tiro_transcriber.engine.usage_meter import UsageMeter
from tiro_transcriber.errors import require_consent
from tiro_transcriber.jobs.audio_range import AudioRange, Decoded
from tiro_transcriber.jobs.chunks import AudioChunk, cut
from tiro_transcriber.jobs.spool import spooled
from tiro_transcriber.jobs.transcript_builder import TranscriptBuilder
from tiro_transcriber.jobs.transcript_writer import TranscriptWriter
from tiro_transcriber.jobs.turns import turns

MULTILINGUAL_SECONDS = 30
"""The longest piece of a recording in which the language may change: it is detected once for each."""


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
        self, record: TranscriptionRecord, writer: TranscriptWriter, *, size: int, channels: int
    ) -> Transcript:
        """Transcribe a job's recording, giving segments to `writer` as they come.

        Args:
            record: The job.
            writer: The transcript.
            size: The size of the recording, in bytes.
            channels: How many it has.

        Returns:
            What is known of the transcript besides its segments.

        Raises:
            AudioError: The recording cannot be decoded.
            PartMissing: The recording is not in the store, or damaged there.
            TiroError: It must not go to this engine, or the engine cannot do what it asks for.
        """
        require_consent(self._host.engine, record)
        require_served(self._host.engine, record)
        async with self._spooled(record, size) as file:
            if record.options.separate_channels:
                return await self._by_channel(file, record, max(1, channels), writer)
            return await self._mixed(file, record, writer)

    async def _mixed(self, file: IO[bytes], record: TranscriptionRecord, writer: TranscriptWriter) -> Transcript:
        summary = TranscriptBuilder(record.config, record.options)
        with_words = record.config.enable_word_time_offsets

        def emit(segment: Segment) -> None:
            writer.add(to_proto(segment, with_words=with_words))

        audio = await self._pass(
            file, record.options, summary, _Telling(emit, writer.reached, self._usage.of(record.tenant))
        )
        return summary.transcript(self._host.engine.model, audio, writer.segment_count)

    async def _by_channel(
        self, file: IO[bytes], record: TranscriptionRecord, channels: int, writer: TranscriptWriter
    ) -> Transcript:
        """Transcribe one channel after the other. Segments are told once all are there, in the order of their time."""
        summary = TranscriptBuilder(record.config, record.options)
        heard: list[tuple[Segment, int]] = []
        seconds = record.audio_duration.ToNanoseconds() / 1e9

        def telling(channel: int) -> _Telling:
            return _Telling(
                lambda segment: heard.extend((turn, channel + 1) for turn in turns(segment)),
                lambda reached: writer.reached((channel * seconds + reached) / channels),
                self._usage.of(record.tenant),
            )

        passes = [
            await self._pass(file, record.options, summary, telling(channel), channel) for channel in range(channels)
        ]
        for segment, number in sorted(heard, key=lambda item: (item[0].start, item[1])):
            writer.add(to_proto(segment, with_words=record.config.enable_word_time_offsets, channel=number))
        return summary.transcript(self._host.engine.model, passes[-1], writer.segment_count)

    async def _pass(
        self,
        file: IO[bytes],
        options: TranscriptionOptions,
        summary: TranscriptBuilder,
        telling: "_Telling",
        channel: int | None = None,
    ) -> Decoded:
        """Transcribe all channels mixed, or one of them."""
        excerpt = AudioRange(options)
        longest = MULTILINGUAL_SECONDS if options.multilingual else self._window_seconds
        async with decode(self._launcher, file, rate=SAMPLE_RATE, channel=channel, limits=self._limits) as stream:
            chunks = excerpt.until_end(stream)
            async with aclosing(chunks), aclosing(cut(chunks, longest, start=excerpt.start)) as pieces:
                await self._windows(pieces, summary, telling)
            return excerpt.decoded(stream.report)

    async def _windows(
        self, pieces: AsyncIterator[AudioChunk], summary: TranscriptBuilder, telling: "_Telling"
    ) -> None:
        while True:
            with metrics.stage("decode"):
                piece = await anext(pieces, None)
            if piece is None:
                break
            window = Window(pcm16_to_float32(piece.samples), piece.offset, telling.on_audio_sent)
            with metrics.stage("engine"):
                try:
                    summary.add(await self._host.transcribe(window, summary.options(), telling.segment))
                finally:
                    self._usage.write_soon()
            telling.reached(piece.end / SAMPLE_RATE)

    def _spooled(self, record: TranscriptionRecord, size: int) -> AbstractAsyncContextManager[IO[bytes]]:
        return spooled(self._blobs, tenant=record.tenant, upload_id=record.upload_id, size=size, folder=self._spool_dir)


@dataclass(frozen=True, slots=True)
class _Telling:
    """Who is told what is heard, how far the recording is heard, and what has left for a service outside."""

    segment: Callable[[Segment], None]
    reached: Callable[[float], None]
    on_audio_sent: OnAudioSent
