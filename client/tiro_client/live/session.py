"""Carries a live session over its connections, from the first to the last."""

import asyncio
import time

import grpc

from tiro.streaming.v1.streaming_pb2 import (
    KeepAlive,
    Resume,
    SessionStarted,
    StreamingTranscribeRequest,
    StreamingTranscribeResponse,
)
from tiro.streaming.v1.streaming_pb2 import SessionEnded as SessionEndedMessage
from tiro.streaming.v1.streaming_pb2 import SessionResumed as SessionResumedMessage
from tiro_client.calls.connection import Connection
from tiro_client.calls.retrying import STEADY_SECONDS, STREAM_ATTEMPTS_MAX, Backoff, is_connection_lost, is_transient
from tiro_client.errors import FailedPrecondition, StreamClosed, TiroError, Unavailable
from tiro_client.live.call import LiveCall, ended_early
from tiro_client.live.config import LiveConfig
from tiro_client.live.events import SessionResumed, event_from_proto
from tiro_client.live.inbox import Inbox
from tiro_client.live.outbox import Outbox
from tiro_client.live.replay_buffer import ENCODED_BYTES_MAX, ENCODED_ITEMS_MAX, StoredPosition
from tiro_client.tasks import cancel_and_wait
from tiro_client.timing import seconds_of

KEEP_ALIVE_SECONDS = 3.0
"""After this time without a message a keep-alive is sent, unless the service ends idle sessions sooner."""
KEEP_ALIVE_SECONDS_FIRST = 1.0
"""The same until the service has reported after which time it ends idle sessions."""
KEEP_ALIVES_PER_IDLE = 3
"""Keep-alives within the time after which the service ends an idle session."""

_RESUMABLE_REASONS = {"SESSION_IDLE", "CLIENT_TOO_SLOW"}
"""How a service reports a network that was silent, or a client that was suspended: both may be over."""


class LiveSession:
    """Sends what is in the outbox to the service, and puts the service's events into the inbox.

    Args:
        connection: A connection to the streaming service.
        config: How the session begins.
        outbox: What is to be sent.
        inbox: Where events go.
    """

    def __init__(self, connection: Connection, config: LiveConfig, outbox: Outbox, inbox: Inbox) -> None:
        self._connection = connection
        self._config = config
        self._outbox = outbox
        self._inbox = inbox
        self._started: SessionStarted | None = None
        self._resume_seconds = config.resume_seconds
        self._last_sequence = 0
        self._ended = False
        self._was_replaced = False
        self._lost_at = 0.0
        self._sender: asyncio.Task[None] | None = None
        self._backoff = Backoff(STREAM_ATTEMPTS_MAX)

    @property
    def is_connected(self) -> bool:
        """Whether the contents of the outbox are being sent."""
        return self._sender is not None and not self._sender.done()

    async def run(self) -> None:
        """Carry the session to its end.

        Raises:
            TiroError: It was refused or ended early, or its connection was lost and could not be replaced.
        """
        call = LiveCall(self._connection, wait_for_connection=False)
        answer: StreamingTranscribeResponse | None = None
        while True:
            begun_at, begun_after = time.monotonic(), self._last_sequence
            try:
                await self._use(call, answer)
            except TiroError as error:
                if self._outbox.cancelled or (self._ended and is_connection_lost(error)):
                    return
                self._check_can_resume(error)
                steady = time.monotonic() - begun_at >= STEADY_SECONDS
                call, answer = await self._reopen(error, progressed=steady or self._last_sequence > begun_after)
            else:
                return

    async def _use(self, call: LiveCall, answer: StreamingTranscribeResponse | None) -> None:
        """Use one connection to its end.

        Args:
            call: The connection.
            answer: The service's answer to the first message. None if that message is still to be sent.

        Raises:
            TiroError: The connection ended before the session.
        """
        try:
            response = await self._begin(call) if answer is None else answer
            while response is not None:
                await self._handle(response, call)
                response = await call.read()
        finally:
            sender, self._sender = self._sender, None
            await self._outbox.disconnect()
            if sender is not None:
                await cancel_and_wait(sender)
            await call.close()
        if not self._ended:
            raise ended_early()

    async def _begin(self, call: LiveCall) -> StreamingTranscribeResponse | None:
        """Open the session. Audio is sent without waiting for the answer, which would delay it."""
        await call.open(self._opening())
        await self._start_sending(call, StoredPosition())
        return await call.read()

    def _check_can_resume(self, error: TiroError) -> None:
        """Raise `error` if the session cannot continue over another connection."""
        if self._resume_seconds <= 0:
            raise error
        if self._started is None:
            # A service that cannot be reached is reported to the caller at once. A service that is stopping is retried:
            # everything that was sent is still in the outbox.
            resumable = error.reason == "SHUTTING_DOWN"
        else:
            resumable = bool(self._started.resume_token) and self._is_resumable(error)
        if not resumable:
            raise error
        if not self._outbox.can_resume:
            raise Unavailable(
                f"the connection was lost ({error.message}), and the session cannot be resumed: its compressed audio "
                f"exceeds the {ENCODED_BYTES_MAX // 1024**2} MiB or {ENCODED_ITEMS_MAX} messages that are kept to be "
                "sent again",
                reason=error.reason,
                code=error.code,
            ) from error

    def _is_resumable(self, error: TiroError) -> bool:
        """Whether a session that was open may continue after an error."""
        if error.reason == "SESSION_RESUMED_ELSEWHERE":
            # Of two clients with one token, each replaces the other one once: the one that resumed last continues. A
            # client that is alone was replaced by a connection of its own that it had given up.
            is_first, self._was_replaced = not self._was_replaced, True
            return is_first
        return is_connection_lost(error) or error.reason in _RESUMABLE_REASONS

    async def _reopen(self, lost: TiroError, *, progressed: bool) -> tuple[LiveCall, StreamingTranscribeResponse]:
        """Call the service until it answers. Returns the call and the answer.

        Raises:
            TiroError: It refused, or did not answer within the time for which a session can be resumed.
        """
        self._lost_at, cause = time.monotonic(), lost
        try:
            async with asyncio.timeout(self._resume_seconds):
                while True:
                    await self._backoff.wait(cause, progressed=progressed)
                    progressed = False
                    call = LiveCall(self._connection, wait_for_connection=True)
                    try:
                        return call, await self._answer_of(call)
                    except TiroError as error:
                        if not (is_connection_lost(error) or is_transient(error)):
                            raise
                        cause = error
        except TimeoutError:
            raise Unavailable(
                f"the connection was lost and could not be replaced within {self._resume_seconds:g} s: {cause.message}",
                reason=cause.reason,
                code=cause.code,
            ) from cause

    async def _answer_of(self, call: LiveCall) -> StreamingTranscribeResponse:
        try:
            await call.open(self._opening())
            answer = await call.read()
        except BaseException:
            await call.close()
            raise
        if answer is None:
            raise ended_early()
        return answer

    def _opening(self) -> StreamingTranscribeRequest:
        if self._started is None:
            return StreamingTranscribeRequest(config=self._config.to_proto())
        return StreamingTranscribeRequest(
            resume=Resume(
                session_id=self._started.session_id,
                resume_token=self._started.resume_token,
                after_sequence=self._last_sequence,
                audio_from_start=self._outbox.replays_from_start,
            )
        )

    async def _handle(self, response: StreamingTranscribeResponse, call: LiveCall) -> None:
        match response.WhichOneof("response"):
            case "session_started":
                await self._on_started(response.session_started, call)
            case "session_resumed":
                await self._on_resumed(response.session_resumed, call)
                return
            case "audio_ack":
                ack = response.audio_ack
                await self._outbox.acknowledge(StoredPosition(ack.offset.ToNanoseconds(), ack.control_count))
            case "session_ended":
                await self._on_ended(response.session_ended)
        if 0 < response.sequence <= self._last_sequence:
            # Received over the connection before.
            return
        self._last_sequence = max(self._last_sequence, response.sequence)
        event = event_from_proto(response)
        if event is not None:
            await self._inbox.put(event)

    async def _on_started(self, started: SessionStarted, call: LiveCall) -> None:
        self._started = started
        if started.resume_token and started.HasField("resume_window"):
            self._resume_seconds = min(self._resume_seconds, seconds_of(started.resume_window))
        if self._sender is None:  # a sender that has sent everything is none to be replaced
            await self._start_sending(call, StoredPosition())

    async def _on_resumed(self, resumed: SessionResumedMessage, call: LiveCall) -> None:
        if resumed.audio_ended and not self._outbox.ended:
            raise _audio_ended()
        await self._start_sending(call, StoredPosition(resumed.audio_offset.ToNanoseconds(), resumed.control_count))
        away_seconds = time.monotonic() - self._lost_at
        await self._inbox.put(SessionResumed(0, seconds_of(resumed.audio_offset), away_seconds))

    async def _on_ended(self, ended: SessionEndedMessage) -> None:
        """Accept the end of the session only if it has all the audio of this client."""
        await self._outbox.acknowledge_audio(ended.audio_duration.ToNanoseconds())
        if not self._outbox.cancelled and not self._outbox.is_complete:
            raise _audio_ended()
        self._ended = True

    async def _start_sending(self, call: LiveCall, stored: StoredPosition) -> None:
        """Begin to send what the service has not stored."""
        await self._outbox.connect(stored)
        self._sender = asyncio.create_task(self._send(call), name="live-sending")

    async def _send(self, call: LiveCall) -> None:
        """Send the contents of the outbox, and keep-alives while it is empty."""
        try:
            while True:
                request = await self._next_request()
                if request is None:
                    await call.half_close()
                    return
                await call.write(request)
                if request.HasField("cancel"):
                    return
        except StreamClosed:
            # The task that reads the call gets the cause.
            return

    async def _next_request(self) -> StreamingTranscribeRequest | None:
        try:
            async with asyncio.timeout(self._keep_alive_seconds):
                return await self._outbox.next()
        except TimeoutError:
            return StreamingTranscribeRequest(keep_alive=KeepAlive())

    @property
    def _keep_alive_seconds(self) -> float:
        if self._started is None:
            return KEEP_ALIVE_SECONDS_FIRST
        idle_seconds_max = seconds_of(self._started.idle_max)
        if idle_seconds_max <= 0:
            return KEEP_ALIVE_SECONDS
        return min(KEEP_ALIVE_SECONDS, idle_seconds_max / KEEP_ALIVES_PER_IDLE)


def _audio_ended() -> FailedPrecondition:
    """The session has ended without all of the audio: it ended elsewhere, or the service has ended it."""
    return FailedPrecondition(
        "the audio of the session has ended, and not by this client: not all of it was transcribed",
        reason="SESSION_AUDIO_ENDED",
        code=grpc.StatusCode.FAILED_PRECONDITION,
    )
