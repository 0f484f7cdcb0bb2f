"""Sessions that can be resumed, and calls that resume them."""

from typing import Any

from google.protobuf.duration_pb2 import Duration

from tests.integration.streamer.conftest import Client, Request, Response, read_until
from tiro.streaming.v1 import streaming_pb2 as streaming

SECOND = bytes(range(256)) * 125
"""One second of PCM16 at 16 kHz in which no sample is like its neighbour."""
FINALIZE = Request(finalize=streaming.Finalize())


def window(seconds: float = 30) -> Duration:
    """A resume window, as a Duration."""
    duration = Duration()
    duration.FromMilliseconds(round(seconds * 1000))
    return duration


def resume(started: Response, after_sequence: int = 1, **changes: Any) -> Request:
    """The request that resumes a session."""
    session = started.session_started
    fields = {"session_id": session.session_id, "resume_token": session.resume_token, "after_sequence": after_sequence}
    return Request(resume=streaming.Resume(**{**fields, **changes}))


async def begin(client: Client, **changes: Any) -> tuple[Any, Response]:
    """A call with a resumable session, and its `session_started`."""
    call = client.open()
    await call.write(client.config(resume_window=window(), **changes))
    started = await call.read()
    assert started.session_started.resume_token
    return call, started


async def stored(call: Any, seconds: float) -> streaming.AudioAck:
    """Wait until this much audio is stored."""
    while True:
        acknowledged = (await read_until(call, "audio_ack")).audio_ack
        if acknowledged.offset.ToMilliseconds() >= seconds * 1000:
            return acknowledged


async def reopened(client: Client, request: Request) -> tuple[Any, streaming.SessionResumed]:
    """A new call that resumes, and its `session_resumed`."""
    call = client.open()
    await call.write(request)
    answer = await call.read()
    assert answer.HasField("session_resumed"), answer
    return call, answer.session_resumed
