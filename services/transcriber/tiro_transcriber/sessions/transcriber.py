"""One live session: from its audio log through the engine to its event log."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import LiveInput
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.streaming.v1.streaming_pb2 import UpdateConfig
from tiro_core.audio.pcm import Resampler, pcm16_to_float32
from tiro_core.errors import TiroError
from tiro_core.routing.suitability import NO_OPTIONS
from tiro_engines.interface import (
    SAMPLE_RATE,
    EngineSession,
    Samples,
    SessionUpdate,
    SpeechEnded,
    SpeechStarted,
    UnsupportedLanguage,
    UtteranceEnd,
)
from tiro_transcriber import metrics
from tiro_transcriber.engine.session_threads import PartialFuture, SessionThreads
from tiro_transcriber.pipeline.pipeline import Pipelines
from tiro_transcriber.sessions.checkpoint import CheckpointTracker
from tiro_transcriber.sessions.config import SessionConfig
from tiro_transcriber.sessions.input import Pcm16, SessionInput
from tiro_transcriber.sessions.load import INTERVAL_SECONDS_MAX, SessionLoad
from tiro_transcriber.sessions.output import SessionOutput

TURN_SECONDS = 2.0
"""The most audio that a session processes in one call, so that a session that is behind does not delay the others."""
PROGRESS_SECONDS_MIN = 0.25
"""The shortest time between two messages about the session's progress, while there is audio."""
PROGRESS_SECONDS_MAX = 1.5
"""The time between two such messages while there is no audio."""


@dataclass(frozen=True, slots=True)
class SessionEngine:
    """The engine's session, with the parts of the worker that it needs."""

    session: EngineSession
    threads: SessionThreads
    load: SessionLoad
    pipelines: Pipelines
    refusal: Callable[[UnsupportedLanguage], Status]
    """The error of the client whose change of the config the engine refuses. Raises it again where another engine of
    the session's policy may serve the session."""


class SessionTranscriber:
    """The loop of one session."""

    def __init__(
        self,
        engine: SessionEngine,
        output: SessionOutput,
        config: SessionConfig,
        checkpoint: CheckpointTracker,
        *,
        rate_hz: int,
        silence_seconds_max: float,
    ) -> None:
        """Prepare to transcribe.

        Args:
            engine: The engine's session, and the threads that run it.
            output: The output of its updates, which this worker has taken over.
            config: The config in use.
            checkpoint: The checkpoint, which moves with the session.
            rate_hz: The sample rate of the session's audio.
            silence_seconds_max: How long the streamer may write nothing before the session ends.
        """
        self._engine = engine
        self._output = output
        self._config = config
        self._checkpoint = checkpoint
        self._rate = rate_hz
        self._silence_seconds_max = silence_seconds_max
        self._resampler = Resampler(rate_hz, SAMPLE_RATE)
        self._wake = asyncio.Event()
        self._speaking = False
        self._partial: PartialFuture | None = None
        self._progress_at = self._last_input_at = time.monotonic()
        # The first partial is due at once: it has the first words, or the next ones after a takeover.
        self._partial_at = self._last_input_at - INTERVAL_SECONDS_MAX

    def wake(self) -> None:
        """Process the input that has arrived."""
        self._wake.set()

    async def run(self, audio_log: SessionInput) -> Status | None:
        """Transcribe until the audio ends.

        Returns:
            The error that ended the session. None where its client ended it.

        Raises:
            UnsupportedLanguage: The language was changed to one that the engine does not know and another one may.
        """
        try:
            while True:
                self._wake.clear()
                await self._publish_finished_partial()
                turn = audio_log.take(self._samples(TURN_SECONDS), self._samples(self._engine.load.turn_seconds_min))
                if turn is None:
                    if self._streamer_is_lost(audio_log):
                        return _streamer_lost()
                    await self._wait(audio_log)
                    continue
                self._last_input_at = time.monotonic()
                await self._process(turn.samples)
                if turn.control is not None:
                    kind = turn.control.WhichOneof("input")
                    if kind == "end":
                        return await self._end(turn.control)
                    await self._apply(turn.control, audio_log.position)
                self._advance_checkpoint(audio_log)
                await self._publish_progress(audio_log.taken, PROGRESS_SECONDS_MIN)
                self._request_partial(audio_log)
        finally:
            self._engine.load.speaking(id(self), speaking=False)
            if self._partial is not None:
                self._partial.cancel()

    async def _wait(self, audio_log: SessionInput) -> None:
        """Wait for audio, for a partial that is being decoded, or until the next partial is due."""
        self._request_partial(audio_log)
        seconds = PROGRESS_SECONDS_MAX
        if self._partial is None and self._engine.session.wants_partial:
            seconds = max(0.0, min(seconds, self._partial_due() - time.monotonic()))
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            await self._publish_progress(audio_log.taken, PROGRESS_SECONDS_MAX)

    async def _process(self, samples: Pcm16) -> None:
        if len(samples):
            metrics.SESSION_AUDIO_SECONDS.inc(len(samples) / self._rate)
            await self._advance(pcm16_to_float32(self._resampler.push(samples)))

    async def _advance(self, audio: Samples) -> None:
        await self._withdraw_partial()
        call = await self._engine.threads.run_priority(lambda: self._engine.session.advance(audio))
        self._engine.load.waited(call.waited_seconds)
        if self._speaking or call.result:
            self._engine.load.processed(call.busy_seconds, len(audio) / SAMPLE_RATE)
        await self._publish(call.result)

    async def _apply(self, control: LiveInput, position: int) -> None:
        """Carry out a control, unless an owner before has answered it."""
        number = control.first_control + 1
        is_answered = number <= self._output.events.answered_controls
        match control.WhichOneof("input"):
            case "finalize" if not is_answered:
                await self._finalize(answers=number)
            case "pause" if self._speaking:
                await self._finalize()
            case "update_config":
                refused = await self._configure(control.update_config)
                if is_answered:
                    return
                if refused is None:
                    await self._output.publish_config(self._config.event(position), answers=number)
                else:
                    await self._output.publish_refusal(position, refused, answers=number)
            case "refused_update" if not is_answered:
                await self._output.publish_refusal(position, control.refused_update, answers=number)

    async def _configure(self, update: UpdateConfig) -> Status | None:
        """Change the config. Returns why the engine refuses that: then the config stays as it is."""
        changed = self._config.changed(update)
        recognition, endpointing = changed.recognition, changed.endpointing
        await self._withdraw_partial()
        try:
            await self._engine.threads.run_priority(lambda: self._engine.session.configure(recognition, endpointing))
        except UnsupportedLanguage as error:
            return self._engine.refusal(error)
        self._config = changed
        self._output.use(changed.message, await self._engine.pipelines.open(changed.message, NO_OPTIONS))
        return None

    async def _finalize(self, *, answers: int = 0) -> None:
        await self._withdraw_partial()
        call = await self._engine.threads.run_priority(self._engine.session.finalize)
        self._engine.load.waited(call.waited_seconds)
        self._engine.load.processed(call.busy_seconds, 0.0)
        await self._publish(call.result, answers=answers)

    async def _end(self, control: LiveInput) -> Status | None:
        if control.end.HasField("error"):
            # The client does not wait for the remaining text.
            return control.end.error
        await self._advance(pcm16_to_float32(self._resampler.flush()))
        await self._finalize()
        return None

    def _samples(self, seconds: float) -> int:
        return round(seconds * self._rate)

    def _partial_due(self) -> float:
        return self._partial_at + self._engine.load.interval_seconds

    def _request_partial(self, audio_log: SessionInput) -> None:
        """Submit a partial when one is due, but not while more audio waits than one call processes."""
        is_behind = audio_log.waiting_samples > self._samples(TURN_SECONDS)
        if self._partial is not None or is_behind or not self._engine.session.wants_partial:
            return
        due = self._partial_due()
        if due > time.monotonic():
            return
        loop = asyncio.get_running_loop()
        self._partial = self._engine.threads.partial(self._engine.session, due, self._engine.load.batch_policy)
        self._partial.add_done_callback(lambda _: loop.call_soon_threadsafe(self._wake.set))

    async def _withdraw_partial(self) -> None:
        """Withdraw a partial that waits for a thread; wait for one that runs: a session has one call at a time."""
        if self._partial is not None and self._partial.cancel():
            self._partial = None
        elif self._partial is not None:
            await asyncio.wrap_future(self._partial)
            await self._publish_finished_partial()

    async def _publish_finished_partial(self) -> None:
        if self._partial is None or not self._partial.done():
            return
        call, self._partial = self._partial.result(), None
        self._partial_at = call.begun
        self._engine.load.decoded_partial(call.busy_seconds)
        metrics.SESSION_PARTIALS.inc()
        await self._publish(call.result)

    async def _publish(self, updates: list[SessionUpdate], *, answers: int = 0) -> None:
        for update in updates:
            if isinstance(update, SpeechStarted):
                self._speaking = True
            elif isinstance(update, SpeechEnded | UtteranceEnd):
                self._speaking = False
        self._engine.load.speaking(id(self), speaking=self._speaking)
        await self._output.publish(updates, answers=answers)

    def _advance_checkpoint(self, audio_log: SessionInput) -> None:
        """Move the checkpoint to the sample from which another owner could continue."""
        sample = self._engine.session.checkpoint_sample * self._rate // SAMPLE_RATE
        if sample > self._checkpoint.sample:
            self._checkpoint.advance(sample, audio_log.sequence_before(sample))

    async def _publish_progress(self, processed_sample: int, seconds_min: float) -> None:
        now = time.monotonic()
        if now - self._progress_at >= seconds_min:
            self._progress_at = now
            await self._output.publish_progress(processed_sample)

    def _streamer_is_lost(self, audio_log: SessionInput) -> bool:
        """Whether the streamer has written nothing for too long. The time of an outage of NATS does not count."""
        quiet_seconds = min(time.monotonic() - self._last_input_at, audio_log.seconds_since_outage)
        return quiet_seconds > self._silence_seconds_max


def _streamer_lost() -> Status:
    message = "the session's streamer has written nothing for too long"
    return TiroError(grpc.StatusCode.ABORTED, reasons.ERROR_REASON_SESSION_IDLE, message).to_status()
