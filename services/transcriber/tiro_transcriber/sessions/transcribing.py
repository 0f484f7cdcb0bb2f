"""One live session: from its audio line through the engine to its event line."""

import time

import grpc
import numpy as np
from google.rpc.status_pb2 import Status
from numpy.typing import NDArray

from tiro.events.v1.live_pb2 import LiveInput, SessionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.audio.pcm import Resampler, pcm16_to_float32
from tiro_core.errors import TiroError
from tiro_transcriber import telemetry
from tiro_transcriber.engine_host import EngineHost
from tiro_transcriber.engines.interface import (
    SAMPLE_RATE,
    Endpointing,
    EngineSession,
    Partial,
    RecognitionOptions,
    SessionOptions,
    SessionUpdate,
    SpeechStarted,
    UtteranceEnd,
)
from tiro_transcriber.sessions.input import SessionInput
from tiro_transcriber.sessions.output import SessionOutput

SILENT_LINE_SECONDS = 1.5
"""Someone who pushes to talk stops sending rather than sending silence: after so long their utterance ends."""


def options_of(record: SessionRecord) -> SessionOptions:
    """How the engine is to run a session."""
    asked = record.endpointing
    default = Endpointing()
    return SessionOptions(
        recognition=RecognitionOptions(
            language=record.recognition.language_code or None,
            hotwords=tuple(record.recognition.hotwords),
            word_timestamps=record.recognition.enable_word_time_offsets,
        ),
        endpointing=Endpointing(
            silence_ms=asked.silence.ToMilliseconds() or default.silence_ms,
            utterance_seconds_max=asked.utterance_max.ToMilliseconds() / 1000 or default.utterance_seconds_max,
            threshold=asked.speech_threshold if asked.HasField("speech_threshold") else default.threshold,
        ),
        interim_results=record.enable_interim_results,
    )


def _dead_line() -> Status:
    message = "nothing came from the session's streamer for too long"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_SESSION_IDLE, message).to_status()


class Transcribing:
    """The loop of one session."""

    def __init__(
        self,
        host: EngineHost,
        session: EngineSession,
        line: SessionInput,
        output: SessionOutput,
        *,
        rate_hz: int,
        line_silence_seconds_max: float,
    ) -> None:
        self._host = host
        self._session = session
        self._rate = rate_hz
        self._line_silence_seconds_max = line_silence_seconds_max
        self._resampler = Resampler(self._rate, SAMPLE_RATE)
        self._line = line
        self._output = output
        self._speaking = False
        self._heard_at = time.monotonic()

    async def run(self) -> Status | None:
        """Transcribe until the audio ends.

        Returns:
            Why it ended, when that was not the caller's wish.
        """
        while True:
            try:
                samples, control = await self._line.next(SILENT_LINE_SECONDS)
            except TimeoutError:
                if self._speaking:
                    await self._finalize(finalized=False)
                if self._line_is_dead():
                    return _dead_line()
                continue
            self._heard_at = time.monotonic()
            await self._advance(samples)
            match control.WhichOneof("input") if control else None:
                case "finalize":
                    await self._finalize(finalized=True)
                case "end":
                    return await self._end(control)

    def _line_is_dead(self) -> bool:
        """Whether the session's streamer has gone without a word, which NATS being away does not prove."""
        quiet = min(time.monotonic() - self._heard_at, self._line.seconds_since_outage)
        return quiet > self._line_silence_seconds_max

    async def _advance(self, samples: NDArray[np.int16]) -> None:
        if len(samples):
            telemetry.SESSION_LAG_SECONDS.observe(len(samples) / self._rate)
            telemetry.SESSION_AUDIO_SECONDS.inc(len(samples) / self._rate)
            audio = pcm16_to_float32(self._resampler.push(samples))
            await self._tell(await self._host.in_session_thread(lambda: self._session.advance(audio)))

    async def _finalize(self, *, finalized: bool) -> None:
        await self._tell(await self._host.in_session_thread(self._session.finalize), finalized=finalized)
        self._speaking = False

    async def _end(self, control: LiveInput | None) -> Status | None:
        if control is not None and control.end.HasField("error"):
            # Nobody waits for the rest.
            return control.end.error
        rest = pcm16_to_float32(self._resampler.flush())
        await self._tell(await self._host.in_session_thread(lambda: self._session.advance(rest)))
        await self._finalize(finalized=False)
        return None

    async def _tell(self, updates: list[SessionUpdate], *, finalized: bool = False) -> None:
        for update in updates:
            if isinstance(update, SpeechStarted | Partial):
                self._speaking = True
            elif isinstance(update, UtteranceEnd):
                self._speaking = False
        await self._output.tell(updates, finalized=finalized)
