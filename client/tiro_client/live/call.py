"""One connection of a live session."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TypeAlias

import grpc

from tiro.streaming.v1.streaming_pb2 import StreamingTranscribeRequest, StreamingTranscribeResponse
from tiro.streaming.v1.streaming_pb2_grpc import StreamingServiceStub
from tiro_client.calls.connection import Connection
from tiro_client.calls.ending import end_call
from tiro_client.calls.status import CallStatus
from tiro_client.errors import StreamClosed, Unavailable

_Call: TypeAlias = "grpc.aio.StreamStreamCall[StreamingTranscribeRequest, StreamingTranscribeResponse]"


class LiveCall:
    """A bidirectional call. One task may write while another reads; `close` it at the end.

    A task that is cancelled while it writes or reads cancels the call too: gRPC does so.

    Args:
        connection: A connection to the streaming service. Must be used from a running event loop.
        wait_for_connection: Whether to wait while the service cannot be reached, instead of failing.
    """

    def __init__(self, connection: Connection, *, wait_for_connection: bool) -> None:
        stub = StreamingServiceStub(connection.channel)
        self._call: _Call = stub.StreamingTranscribe(metadata=connection.metadata, wait_for_ready=wait_for_connection)
        self._status = CallStatus(self._call)
        self._responses: AsyncIterator[StreamingTranscribeResponse] = aiter(self._call)

    async def open(self, opening: StreamingTranscribeRequest) -> None:
        """Send the first message. If the service refuses it, `read` raises."""
        with suppress(StreamClosed):
            await self.write(opening)

    async def write(self, request: StreamingTranscribeRequest) -> None:
        """Send one message.

        Raises:
            StreamClosed: The call has ended. `read` says why.
        """
        try:
            await self._call.write(request)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise StreamClosed("the call has ended") from error

    async def half_close(self) -> None:
        """End the client's side of the call. Responses can still be read."""
        await self._call.done_writing()

    async def read(self) -> StreamingTranscribeResponse | None:
        """The next message. None when the service has ended the call without error.

        Raises:
            TiroError: The call has ended with an error.
        """
        try:
            return await anext(self._responses)
        except StopAsyncIteration:
            return None
        except grpc.aio.AioRpcError as seen:
            error = await self._status.explain(seen)
            if error is None:
                return None
            raise error from seen

    async def close(self) -> None:
        """Cancel the call, if it has not ended."""
        await end_call(self._call)


def ended_early() -> Unavailable:
    """The error for a call that the service ended without error before the session had ended."""
    return Unavailable("the connection ended before the session", code=grpc.StatusCode.UNAVAILABLE)
