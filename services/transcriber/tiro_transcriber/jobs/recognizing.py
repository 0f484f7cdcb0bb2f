"""From a recording in the store to its segments: spooled, decoded in another process, recognized window by window."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import (
    WARNING_REASON_DAMAGED_AUDIO,
    WARNING_REASON_ENGINE,
    WARNING_REASON_NO_SPEECH,
    WARNING_REASON_TRUNCATED_AUDIO,
    Transcript,
    Warning,  # noqa: A004 - the contract's word
)
from tiro_core.audio.decode import decode
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.report import DecodeReport
from tiro_core.blobs.interface import BlobStore
from tiro_core.clock import duration
from tiro_transcriber import telemetry
from tiro_transcriber.convert import to_proto
from tiro_transcriber.engine_host import EngineHost
from tiro_transcriber.engines.interface import SAMPLE_RATE, DetectedLanguage, RecognitionOptions, Segment, WindowResult
from tiro_transcriber.jobs.spool import spooled
from tiro_transcriber.jobs.transcript_writer import TranscriptWriter
from tiro_transcriber.jobs.windows import cut_windows


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
            summary = _Summary(record.config)
            await self._windows(stream, record.config, summary, writer)
            if stream.report is None:
                raise AssertionError("a decoding that has ended has a report")
            return summary.transcript(self._host, stream.report, writer.segment_count)

    def _spooled(self, record: TranscriptionRecord, size: int) -> AbstractAsyncContextManager[IO[bytes]]:
        return spooled(self._blobs, tenant=record.tenant, upload_id=record.upload_id, size=size, folder=self._spool_dir)

    async def _windows(
        self,
        chunks: AsyncIterator[NDArray[np.int16]],
        config: RecognitionConfig,
        summary: "_Summary",
        writer: TranscriptWriter,
    ) -> None:
        def emit(segment: Segment) -> None:
            writer.add(to_proto(segment, with_words=config.enable_word_time_offsets))

        async with aclosing(cut_windows(chunks, self._window_seconds)) as windows:
            while True:
                with telemetry.stage("decode"):
                    window = await anext(windows, None)
                if window is None:
                    break
                with telemetry.stage("engine"):
                    summary.add(await self._host.transcribe(window, summary.options(), emit))
                writer.reached((window.offset + len(window.samples)) / SAMPLE_RATE)


class _Summary:
    """What the windows have told so far."""

    def __init__(self, config: RecognitionConfig) -> None:
        self._config = config
        self._language: DetectedLanguage | None = None
        self._warnings: list[Warning] = []

    def options(self) -> RecognitionOptions:
        """How to recognize the next window: in the language asked for, or else in the one first heard."""
        heard = self._language.code if self._language else None
        return RecognitionOptions(
            language=self._config.language_code or heard,
            hotwords=tuple(self._config.hotwords),
            word_timestamps=self._config.enable_word_time_offsets,
        )

    def add(self, result: WindowResult) -> None:
        """Take in what a window gave besides its segments."""
        self._language = self._language or result.language
        self._warnings += [Warning(reason=WARNING_REASON_ENGINE, message=text) for text in result.warnings]

    def transcript(self, host: EngineHost, report: DecodeReport, segment_count: int) -> Transcript:
        """The whole."""
        model = host.engine.model
        transcript = Transcript(
            engine=model.engine,
            model=model.model,
            model_digest=model.digest,
            language_code=self._config.language_code,
            audio_duration=duration(report.decoded_duration_seconds),
            segment_count=segment_count,
            warnings=[*self._warnings, *_audio_warnings(report)],
        )
        if not self._config.language_code and self._language:
            transcript.language_code = self._language.code
            transcript.language_confidence = self._language.probability
        if not segment_count:
            transcript.warnings.append(Warning(reason=WARNING_REASON_NO_SPEECH, message="no speech was found"))
        return transcript


def _audio_warnings(report: DecodeReport) -> list[Warning]:
    warnings = []
    if report.damaged_packets:
        text = f"{report.damaged_packets} damaged packets were stepped over"
        warnings.append(Warning(reason=WARNING_REASON_DAMAGED_AUDIO, message=text))
    if report.truncated:
        text = f"{report.missing_seconds:.1f} s of the announced audio are not there"
        warnings.append(Warning(reason=WARNING_REASON_TRUNCATED_AUDIO, message=text))
    return warnings
