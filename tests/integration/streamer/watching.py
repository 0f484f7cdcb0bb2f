"""Sessions, and calls that watch them."""

from typing import Any

from tests.integration.streamer.conftest import Client, Response
from tiro.streaming.v1 import streaming_pb2 as streaming


async def begin(client: Client) -> tuple[Any, str]:
    """A call with a session, and the session's id."""
    call = client.open()
    await call.write(client.config())
    started = await call.read()
    return call, started.session_started.session_id


def watch(client: Client, session_id: str, after_sequence: int = 0, *, partials: bool = False) -> Any:
    """A call that watches a session."""
    request = streaming.WatchSessionRequest(
        session_id=session_id, after_sequence=after_sequence, enable_interim_results=partials
    )
    follow: Any = client.stub.WatchSession
    return follow(request, metadata=client.metadata)


async def watched(call: Any) -> list[Response]:
    """All responses of a watch."""
    return [response.event async for response in call]
