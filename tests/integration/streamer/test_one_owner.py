"""Several connections of the client library to one session: one owns it, and the others get an error."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.integration.streamer.conftest import RATE, Client, Request, read_all, read_until
from tests.integration.streamer.resuming import SECOND
from tests.support.scripted_worker import ScriptedWorker
from tiro.streaming.v1 import streaming_pb2 as streaming
from tiro_client import (
    AsyncClient,
    AudioAck,
    FailedPrecondition,
    LiveConfig,
    LiveEvent,
    LiveStream,
    SessionEnded,
    SessionResumed,
    TiroError,
)


@pytest.fixture
async def live(client: Client, worker: ScriptedWorker) -> AsyncIterator[LiveStream]:
    """A session of the client library, with a second of audio that is stored."""
    config = LiveConfig(sample_rate=RATE, engine=client.engine, model="counter")
    async with AsyncClient(client.address) as library, library.open_stream(config) as live:
        await live.send(SECOND)
        await until(live, AudioAck)
        yield live


async def until(live: LiveStream, kind: type[LiveEvent]) -> LiveEvent:
    """The next event of a kind."""
    async for event in live:
        if isinstance(event, kind):
            return event
    raise AssertionError("the session has ended")


async def taken_over(client: Client, live: LiveStream) -> Any:
    """Another connection that has taken the session over, with the token of its client."""
    started = live._session._started
    assert started is not None
    call = client.open()
    await call.write(Request(resume=streaming.Resume(session_id=started.session_id, resume_token=started.resume_token)))
    await read_until(call, "session_resumed")
    return call


async def test_a_client_without_a_rival_resumes(client: Client, worker: ScriptedWorker, live: LiveStream) -> None:
    """A client whose session seems to have another owner resumes it if there is none. No word is lost or repeated."""
    (await taken_over(client, live)).cancel()
    await live.send(SECOND)
    await until(live, SessionResumed)
    await live.end()
    assert isinstance([event async for event in live][-1], SessionEnded)
    session = await worker.only_session()
    session.check_contiguous()
    assert session.pcm16 == 2 * SECOND


async def test_two_clients_with_one_token(client: Client, worker: ScriptedWorker, live: LiveStream) -> None:
    """Two clients take the session over from each other. The older one stops first, with the reason."""
    first = await taken_over(client, live)
    await live.send(SECOND)
    await until(live, SessionResumed)
    with pytest.raises(grpc.aio.AioRpcError, match="continues on another connection"):
        await read_all(first)
    second = await taken_over(client, live)
    await live.send(SECOND)
    with pytest.raises(TiroError, match="SESSION_RESUMED_ELSEWHERE"):
        await until(live, SessionEnded)
    await second.done_writing()
    assert (await read_all(second)).last.HasField("session_ended")


async def test_a_session_that_another_client_has_ended(
    client: Client, worker: ScriptedWorker, live: LiveStream
) -> None:
    """A client that has more audio gets an error when another client has ended the session."""
    other = await taken_over(client, live)
    await other.done_writing()
    assert (await read_all(other)).last.HasField("session_ended")
    await live.send(SECOND)
    with pytest.raises(FailedPrecondition, match="SESSION_AUDIO_ENDED"):
        await until(live, SessionEnded)
