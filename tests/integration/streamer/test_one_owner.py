"""The client library against a streamer: of several connections to a session one has it, and no client is misled."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.streamer.conftest import RATE, Client, Request, read_all, read_until
from tests.integration.streamer.test_resuming import SECOND
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


async def test_a_client_that_is_alone_goes_on(client: Client, worker: ScriptedWorker, live: LiveStream) -> None:
    """Told that its session goes on elsewhere, it resumes it, since nobody else has it: nothing is lost or repeated."""
    (await taken_over(client, live)).cancel()
    await live.send(SECOND)
    await until(live, SessionResumed)
    await live.end()
    assert isinstance([event async for event in live][-1], SessionEnded)
    session = await worker.only_session()
    session.check_contiguous()
    assert session.pcm16 == 2 * SECOND


async def test_two_clients_with_one_token(client: Client, worker: ScriptedWorker, live: LiveStream) -> None:
    """Each takes the session over from the other one. The older one gives up first, and says why."""
    first = await taken_over(client, live)
    await live.send(SECOND)
    await until(live, SessionResumed)
    with pytest.raises(Exception, match="continues on another connection"):
        await read_all(first)
    second = await taken_over(client, live)
    await live.send(SECOND)
    with pytest.raises(TiroError, match="SESSION_RESUMED_ELSEWHERE"):
        await until(live, SessionEnded)
    await second.done_writing()
    assert (await read_all(second)).last.HasField("session_ended")


async def test_an_end_that_is_not_its_own(client: Client, worker: ScriptedWorker, live: LiveStream) -> None:
    """Another client has ended the session. This one has more to say: it is not told that all is well."""
    other = await taken_over(client, live)
    await other.done_writing()
    assert (await read_all(other)).last.HasField("session_ended")
    await live.send(SECOND)
    with pytest.raises(FailedPrecondition, match="SESSION_AUDIO_ENDED"):
        await until(live, SessionEnded)
