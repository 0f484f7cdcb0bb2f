"""From a recording in the store to its segments: spooled, decoded in another process, recognized window by window."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import IO

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import Transcript
from tiro_core.audio.decode import decode
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.pcm import pcm16_to_float32
from tiro_core.blobs.interface import BlobStore
from tiro_transcriber import telemetry
from tiro_transcriber.convert import to_proto
from tiro_transcriber.engine_host import EngineHost
from tiro_transcriber.engines.interface import SAMPLE_RATE, Segment, Window
from tiro_transcriber.jobs.excerpt import Excerpt
from tiro_transcriber.jobs.pieces import Piece, cut
from tiro_transcriber.jobs.spool import spooled
from tiro_transcriber.jobs.summary import Summary
from tiro_transcriber.jobs.transcript_writer import TranscriptWriter

MULTILINGUAL_SECONDS = 30
"""The longest piece of a recording in which the language may change: it is detected once for each."""


class Recognizer:
    """Recognizes whole recordings."""

    def __init__(
        self,
        host: EngineHost,
        blobs: BlobStore,
        launcher: MediaLauncher,
        *,
        limits: DecodeLimits,
        window_seconds: int,
        spool_dir: Path | None,
    ) -> None:
        self._host = host
        self._blobs = blobs
        self._launcher = launcher
        self._limits = limits
        self._window_seconds = window_seconds
        self._spool_dir = spool_dir

    async def recognize(self, record: TranscriptionRecord, upload_size: int, writer: TranscriptWriter) -> Transcript:
        """Transcribe a job's recording, giving segments to `writer` as they come.

        Returns:
            What is known of the transcript besides its segments.

        Raises:
            AudioError: The recording cannot be decoded.
            PartMissing: The recording is not in the store, or damaged there.
        """
        async with (
            self._spooled(record, upload_size) as file,
            decode(self._launcher, file, rate=SAMPLE_RATE, limits=self._limits) as stream,
        ):
            summary, excerpt = Summary(record.config, record.options), Excerpt(record.options)
            longest = MULTILINGUAL_SECONDS if record.options.multilingual else self._window_seconds
            chunks = excerpt.until_end(stream)
            async with aclosing(chunks), aclosing(cut(chunks, longest, start=excerpt.start)) as pieces:
                await self._windows(pieces, record.config, summary, writer)
            return summary.transcript(self._host.engine.model, excerpt.decoded(stream.report), writer.segment_count)

    def _spooled(self, record: TranscriptionRecord, size: int) -> AbstractAsyncContextManager[IO[bytes]]:
        return spooled(self._blobs, tenant=record.tenant, upload_id=record.upload_id, size=size, folder=self._spool_dir)

    async def _windows(
        self,
        pieces: AsyncIterator[Piece],
        config: RecognitionConfig,
        summary: Summary,
        writer: TranscriptWriter,
    ) -> None:
        def emit(segment: Segment) -> None:
            writer.add(to_proto(segment, with_words=config.enable_word_time_offsets))

        while True:
            with telemetry.stage("decode"):
                piece = await anext(pieces, None)
            if piece is None:
                break
            window = Window(pcm16_to_float32(piece.samples), piece.offset)
            with telemetry.stage("engine"):
                summary.add(await self._host.transcribe(window, summary.options(), emit))
            writer.reached(piece.end / SAMPLE_RATE)
