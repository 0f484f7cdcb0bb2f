"""Live sessions that somebody else speaks in."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import grpc

from tiro.streaming.v1.streaming_pb2 import WatchSessionRequest, WatchSessionResponse
from tiro.streaming.v1.streaming_pb2_grpc import StreamingServiceStub
from tiro_client.calls.channel import Connection
from tiro_client.jobs.follow import follow
from tiro_client.live.events import LiveEvent, event_from_proto


async def watch_session(
    connection: Connection, session_id: str, *, after_sequence: int, partials: bool
) -> AsyncGenerator[LiveEvent, None]:
    """What happens in a session, to its end. Goes on after the last event when the connection is lost.

    Args:
        connection: A connection to the streaming service.
        session_id: The session.
        after_sequence: Only what comes after this event.
        partials: Whether partials are wanted.
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
