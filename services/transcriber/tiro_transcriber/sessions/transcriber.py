"""One live session: from its audio line through the engine to its event line."""

import asyncio
import time
from concurrent.futures import Future
from dataclasses import dataclass

import grpc
from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import LiveInput
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.streaming.v1.streaming_pb2 import UpdateConfig
from tiro_core.audio.pcm import Resampler, pcm16_to_float32
from tiro_core.errors import TiroError
from tiro_engines.interface import (
    SAMPLE_RATE,
    EngineSession,
    Samples,
    SessionUpdate,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnd,
)
from tiro_transcriber import metrics
from tiro_transcriber.engine.session_threads import CallResult, SessionThreads
from tiro_transcriber.sessions.checkpoint import CheckpointTracker
from tiro_transcriber.sessions.config import SessionConfig
from tiro_transcriber.sessions.input import Pcm16, SessionInput
from tiro_transcriber.sessions.load import INTERVAL_SECONDS_MAX, SessionLoad
from tiro_transcriber.sessions.output import SessionOutput

TURN_SECONDS = 2.0
"""Audio that a session hears at a time, so that one that is behind does not keep the others waiting."""
PROGRESS_SECONDS_MIN = 0.25
"""How often the streamer is told how far the session is, while audio comes."""
PROGRESS_SECONDS_MAX = 1.5
"""The same while none comes."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a session needs to run its engine."""

    session: EngineSession
    threads: SessionThreads
    load: SessionLoad


class SessionTranscriber:
    """The loop of one session."""

    def __init__(
        self,
        engine: Engine,
        output: SessionOutput,
        config: SessionConfig,
        place: CheckpointTracker,
        *,
        rate_hz: int,
        line_silence_seconds_max: float,
    ) -> None:
        self._engine = engine
        self._output = output
        self._config = config
        self._place = place
        self._rate = rate_hz
        self._line_silence_seconds_max = line_silence_seconds_max
        self._resampler = Resampler(rate_hz, SAMPLE_RATE)
        self._wake = asyncio.Event()
        self._speaking = False
        self._partial: Future[CallResult[list[SessionUpdate]]] | None = None
        self._progress_at = self._heard_at = time.monotonic()
        # The first partial is due at once: the first words of a session, or the next ones after a worker's death.
        self._partial_at = self._heard_at - INTERVAL_SECONDS_MAX

    def wake(self) -> None:
        """Enough has come on the line."""
        self._wake.set()

    async def run(self, line: SessionInput) -> Status | None:
        """Transcribe until the audio ends.

        Returns:
            Why it ended, when that was not the caller's wish.

        Raises:
            UnsupportedLanguage: Its language was changed to one that the engine does not know.
        """
        try:
            while True:
                self._wake.clear()
                await self._tell_finished_partial()
                turn = line.take(self._samples(TURN_SECONDS), self._samples(self._engine.load.turn_seconds_min))
                if turn is None:
                    if self._line_is_dead(line):
                        return _dead_line()
                    await self._wait(line)
                    continue
                self._heard_at = time.monotonic()
                await self._hear(turn.samples)
                if turn.control is not None:
                    kind = turn.control.WhichOneof("input")
                    if kind == "end":
                        return await self._end(turn.control)
                    await self._obey(turn.control, line.position)
                self._settle(line)
                await self._tell_progress(line.taken, PROGRESS_SECONDS_MIN)
                self._ask_for_partial(line)
        finally:
            self._engine.load.speaking(id(self), speaking=False)
            if self._partial is not None:
                self._partial.cancel()

    async def _wait(self, line: SessionInput) -> None:
        """Wait for audio, for a partial that is under way, or until the next one is due."""
        self._ask_for_partial(line)
        seconds = PROGRESS_SECONDS_MAX
        if self._partial is None and self._engine.session.wants_partial:
            seconds = max(0.0, min(seconds, self._partial_due() - time.monotonic()))
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            await self._tell_progress(line.taken, PROGRESS_SECONDS_MAX)

    async def _hear(self, samples: Pcm16) -> None:
        if len(samples):
            metrics.SESSION_AUDIO_SECONDS.inc(len(samples) / self._rate)
            await self._advance(pcm16_to_float32(self._resampler.push(samples)))

    async def _advance(self, audio: Samples) -> None:
        await self._withdraw_partial()
        ran = await self._engine.threads.run_priority(lambda: self._engine.session.advance(audio))
        self._engine.load.waited(ran.waited_seconds)
        if self._speaking or ran.result:
            self._engine.load.heard(ran.busy_seconds, len(audio) / SAMPLE_RATE)
        await self._tell(ran.result)

    async def _obey(self, control: LiveInput, position: int) -> None:
        """Do what a control asks for, unless an owner before has answered it."""
        number = control.first_control + 1
        answered = number <= self._output.answered_controls
        match control.WhichOneof("input"):
            case "finalize" if not answered:
                await self._finalize(answers=number)
            case "pause" if self._speaking:
                await self._finalize()
            case "update_config":
                await self._configure(control.update_config)
                if not answered:
                    await self._output.tell_config(self._config.told(position), answers=number)

    async def _configure(self, update: UpdateConfig) -> None:
        self._config.change(update)
        recognition, endpointing = self._config.recognition, self._config.endpointing
        await self._withdraw_partial()
        await self._engine.threads.run_priority(lambda: self._engine.session.configure(recognition, endpointing))

    async def _finalize(self, *, answers: int = 0) -> None:
        await self._withdraw_partial()
        ran = await self._engine.threads.run_priority(self._engine.session.finalize)
        self._engine.load.waited(ran.waited_seconds)
        self._engine.load.heard(ran.busy_seconds, 0.0)
        await self._tell(ran.result, answers=answers)

    async def _end(self, control: LiveInput) -> Status | None:
        if control.end.HasField("error"):
            # Nobody waits for the rest.
            return control.end.error
        await self._advance(pcm16_to_float32(self._resampler.flush()))
        await self._finalize()
        return None

    def _samples(self, seconds: float) -> int:
        return round(seconds * self._rate)

    def _partial_due(self) -> float:
        return self._partial_at + self._engine.load.interval_seconds

    def _ask_for_partial(self, line: SessionInput) -> None:
        """Have a partial decoded when one is due, and worth it: not while more audio waits than a turn takes."""
        behind = line.waiting_samples > self._samples(TURN_SECONDS)
        if self._partial is not None or behind or not self._engine.session.wants_partial:
            return
        due = self._partial_due()
        if due > time.monotonic():
            return
        loop = asyncio.get_running_loop()
        self._partial = self._engine.threads.partial(self._engine.session, due, self._engine.load.batch_policy)
        self._partial.add_done_callback(lambda _: loop.call_soon_threadsafe(self._wake.set))

    async def _withdraw_partial(self) -> None:
        """Take back a partial that waits for a thread, or await one that runs: a session has one call at a time."""
        if self._partial is not None and self._partial.cancel():
            self._partial = None
        elif self._partial is not None:
            await asyncio.wrap_future(self._partial)
            await self._tell_finished_partial()

    async def _tell_finished_partial(self) -> None:
        if self._partial is None or not self._partial.done():
            return
        ran, self._partial = self._partial.result(), None
        self._partial_at = ran.begun
        self._engine.load.decoded_partial(ran.busy_seconds)
        metrics.SESSION_PARTIALS.inc()
        await self._tell(ran.result)

    async def _tell(self, updates: list[SessionUpdate], *, answers: int = 0) -> None:
        for update in updates:
            if isinstance(update, SpeechStarted):
                self._speaking = True
            elif isinstance(update, SpeechEnded | UtteranceEnd):
                self._speaking = False
        self._engine.load.speaking(id(self), speaking=self._speaking)
        await self._output.tell(updates, answers=answers)

    def _settle(self, line: SessionInput) -> None:
        """Note from where another owner could go on, now that everything before is told."""
        settled = self._engine.session.checkpoint_sample * self._rate // SAMPLE_RATE
        if settled > self._place.sample:
            self._place.reached(settled, line.sequence_before(settled))

    async def _tell_progress(self, processed_sample: int, seconds_min: float) -> None:
        now = time.monotonic()
        if now - self._progress_at >= seconds_min:
            self._progress_at = now
            await self._output.tell_progress(processed_sample)

    def _line_is_dead(self, line: SessionInput) -> bool:
        """Whether the session's streamer has gone without a word, which NATS being away does not prove."""
        quiet = min(time.monotonic() - self._heard_at, line.seconds_since_outage)
        return quiet > self._line_silence_seconds_max


def _dead_line() -> Status:
    message = "nothing came from the session's streamer for too long"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_SESSION_IDLE, message).to_status()
