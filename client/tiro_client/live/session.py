"""Carrying a live session over its connections, from the first to the last."""

import asyncio
import time

from tiro.streaming.v1.streaming_pb2 import (
    KeepAlive,
    Resume,
    SessionStarted,
    StreamingTranscribeRequest,
    StreamingTranscribeResponse,
)
from tiro_client.calls.channel import Connection
from tiro_client.calls.retrying import Resumption, is_lost, is_transient
from tiro_client.calls.tasks import cancel_and_wait
from tiro_client.errors import StreamClosed, TiroError, Unavailable
from tiro_client.live.call import LiveCall, cut_off
from tiro_client.live.config import LiveConfig
from tiro_client.live.events import SessionResumed, event_from_proto
from tiro_client.live.inbox import Inbox
from tiro_client.live.memory import ENCODED_BYTES_MAX, Stored
from tiro_client.live.outbox import Outbox
from tiro_client.timing import seconds_of

KEEP_ALIVE_SECONDS = 3.0
"""How long nothing is sent before a keep-alive is, unless the service ends idle sessions sooner."""
KEEP_ALIVE_SECONDS_FIRST = 1.0
"""The same as long as the service has not said how soon it ends idle sessions."""
KEEP_ALIVES_PER_IDLE = 3
"""Keep-alives within the time after which the service ends an idle session."""
STEADY_SECONDS = 5.0
"""A connection that lasted this long counts as progress, also when nothing happened."""


class LiveSession:
    """Moves what the outbox holds to the service, and what the service says to the inbox.

    Args:
        connection: A connection to the streaming service.
        config: How the session begins.
        outbox: What is to be sent.
        inbox: What has happened.
    """

    def __init__(self, connection: Connection, config: LiveConfig, outbox: Outbox, inbox: Inbox) -> None:
        self._connection = connection
        self._config = config
        self._outbox = outbox
        self._inbox = inbox
        self._started: SessionStarted | None = None
        self._resume_seconds = config.resume_seconds
        self._sequence = 0
        self._ended = False
        self._lost_at = 0.0
        self._writing: asyncio.Task[None] | None = None
        self._resumption = Resumption()

    @property
    def is_connected(self) -> bool:
        """Whether what the outbox holds is being sent."""
        return self._writing is not None and not self._writing.done()

    async def run(self) -> None:
        """Carry the session to its end.

        Raises:
            TiroError: It was refused or cut short, or its connection was lost for good.
        """
        call = LiveCall(self._connection, wait_for_connection=False)
        answer: StreamingTranscribeResponse | None = None
        while True:
            begun_at, begun = time.monotonic(), self._sequence
            try:
                await self._carry(call, answer)
            except TiroError as error:
                if self._outbox.cancelled or (self._ended and is_lost(error)):
                    return
                self._check_can_resume(error)
                steady = time.monotonic() - begun_at >= STEADY_SECONDS
                call, answer = await self._reopen(error, progressed=steady or self._sequence > begun)
            else:
                return

    async def _carry(self, call: LiveCall, answer: StreamingTranscribeResponse | None) -> None:
        """Use one connection to its end.

        Args:
            call: The connection.
            answer: What the service answered to its first message. None if that is still to be sent.

        Raises:
            TiroError: That was not the session's end.
        """
        try:
            response = await self._begin(call) if answer is None else answer
            while response is not None:
                await self._take(response, call)
                response = await call.read()
        finally:
            writing, self._writing = self._writing, None
            await self._outbox.disconnect()
            if writing is not None:
                await cancel_and_wait(writing)
            call.close()
        if not self._ended:
            raise cut_off()

    async def _begin(self, call: LiveCall) -> StreamingTranscribeResponse | None:
        """Open the session. Audio follows at once: waiting for the answer would make it late."""
        await call.open(self._opening())
        await self._send_over(call, Stored())
        return await call.read()

    def _check_can_resume(self, error: TiroError) -> None:
        """Raise `error` if the session does not go on over another connection."""
        if self._resume_seconds <= 0:
            raise error
        if self._started is None:
            # A service that is not there is told to the caller at once. One that asks to come again is asked again:
            # everything that was sent is still here.
            resumable = error.reason == "SHUTTING_DOWN"
        else:
            resumable = bool(self._started.resume_token) and is_lost(error)
        if not resumable:
            raise error
        if not self._outbox.can_resume:
            raise Unavailable(
                f"the connection was lost ({error.message}), and the session cannot be resumed: its compressed audio "
                f"is more than the {ENCODED_BYTES_MAX // 1024**2} MiB that are kept to be sent again",
                reason=error.reason,
                code=error.code,
            ) from error

    async def _reopen(self, lost: TiroError, *, progressed: bool) -> tuple[LiveCall, StreamingTranscribeResponse]:
        """Call until the service answers. Gives the call and the answer.

        Raises:
            TiroError: It refused, or did not answer within the time in which a session can be resumed.
        """
        self._lost_at, why = time.monotonic(), lost
        try:
            async with asyncio.timeout(self._resume_seconds):
                while True:
                    await self._resumption.pause(why, progressed=progressed)
                    progressed = False
                    call = LiveCall(self._connection, wait_for_connection=True)
                    try:
                        return call, await self._answer_of(call)
                    except TiroError as error:
                        if not (is_lost(error) or is_transient(error)):
                            raise
                        why = error
        except TimeoutError:
            raise Unavailable(
                f"the connection was lost and could not be replaced within {self._resume_seconds:g} s: {why.message}",
                reason=why.reason,
                code=why.code,
            ) from why

    async def _answer_of(self, call: LiveCall) -> StreamingTranscribeResponse:
        try:
            await call.open(self._opening())
            answer = await call.read()
        except BaseException:
            call.close()
            raise
        if answer is None:
            raise cut_off()
        return answer

    def _opening(self) -> StreamingTranscribeRequest:
        if self._started is None:
            return StreamingTranscribeRequest(config=self._config.to_proto())
        return StreamingTranscribeRequest(
            resume=Resume(
                session_id=self._started.session_id,
                resume_token=self._started.resume_token,
                after_sequence=self._sequence,
                audio_from_start=self._outbox.from_start,
            )
        )

    async def _take(self, response: StreamingTranscribeResponse, call: LiveCall) -> None:
        match response.WhichOneof("response"):
            case "session_started":
                await self._adopt(response.session_started, call)
            case "session_resumed":
                resumed = response.session_resumed
                await self._send_over(call, Stored(resumed.audio_offset.ToNanoseconds(), resumed.control_count))
                away_seconds = time.monotonic() - self._lost_at
                await self._inbox.put(SessionResumed(0, seconds_of(resumed.audio_offset), away_seconds))
                return
            case "audio_ack":
                ack = response.audio_ack
                await self._outbox.acknowledge(Stored(ack.offset.ToNanoseconds(), ack.control_count))
            case "session_ended":
                self._ended = True
        if 0 < response.sequence <= self._sequence:
            # Told over the connection before.
            return
        self._sequence = max(self._sequence, response.sequence)
        event = event_from_proto(response)
        if event is not None:
            await self._inbox.put(event)

    async def _adopt(self, started: SessionStarted, call: LiveCall) -> None:
        self._started = started
        if started.resume_token and started.HasField("resume_window"):
            self._resume_seconds = min(self._resume_seconds, seconds_of(started.resume_window))
        if not self.is_connected:
            await self._send_over(call, Stored())

    async def _send_over(self, call: LiveCall, stored: Stored) -> None:
        """Begin to send what the service does not have."""
        await self._outbox.connect(stored)
        self._writing = asyncio.create_task(self._write(call), name="live-sending")

    async def _write(self, call: LiveCall) -> None:
        """Send what there is, and keep-alives while there is nothing."""
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
            # Whoever reads the call learns why.
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
