"""Follows the live session of another client."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import grpc

from tiro.streaming.v1.streaming_pb2 import WatchSessionRequest, WatchSessionResponse
from tiro.streaming.v1.streaming_pb2_grpc import StreamingServiceStub
from tiro_client.calls.connection import Connection
from tiro_client.calls.follow import follow
from tiro_client.live.events import LiveEvent, event_from_proto


async def watch_session(
    connection: Connection, session_id: str, *, after_sequence: int, partials: bool
) -> AsyncGenerator[LiveEvent, None]:
    """The events of a session, to its end. A lost connection is replaced.

    Args:
        connection: A connection to the streaming service.
        session_id: The session.
        after_sequence: Only events with a higher sequence number.
        partials: Whether partials are included.
    """
    stub = StreamingServiceStub(connection.channel)

    def begin(after: int) -> "grpc.aio.UnaryStreamCall[WatchSessionRequest, WatchSessionResponse]":
        request = WatchSessionRequest(session_id=session_id, after_sequence=after, enable_interim_results=partials)
        return stub.WatchSession(request, metadata=connection.metadata)

    history = follow(begin, lambda response: response.event.sequence, after_sequence=after_sequence)
    async with aclosing(history) as responses:
        async for response in responses:
            event = event_from_proto(response.event)
            if event is not None:
                yield event
