"""The client library resumes sessions after the death of a streamer: real processes, the fake engine."""

import asyncio
from contextlib import aclosing

import pytest

from tests.support.stack import Stack
from tiro_client import (
    AsyncClient,
    Final,
    JobState,
    LiveConfig,
    LiveEvent,
    Partial,
    SessionEnded,
    SessionResumed,
    SessionStarted,
)
from tiro_engines.fake.markers import encode

WORDS = range(40)
TEXT = [f"w{number}" for number in WORDS]

pytestmark = pytest.mark.xdist_group("fake stack")


def words_of(events: list[LiveEvent]) -> list[str]:
    """The words of all finals."""
    return [word for event in events if isinstance(event, Final) for word in event.segment.text.split()]


async def test_a_killed_streamer_costs_a_pause(fake_stack: Stack) -> None:
    """A streamer is killed in mid-sentence and restarted: one iterator yields every word and sequence once."""
    samples = encode(WORDS)
    half = len(samples) // 2
    async with (
        AsyncClient(fake_stack.address, streaming_address=fake_stack.streaming_address) as client,
        client.open_stream(LiveConfig(sample_rate=16_000, engine="fake")) as live,
    ):
        await live.send(samples[:half].tobytes())
        events: list[LiveEvent] = []
        async for event in live:
            events.append(event)
            if isinstance(event, Partial):
                break
        await asyncio.to_thread(fake_stack.streamer.kill)
        await live.send(samples[half:].tobytes())
        await live.finalize()
        await asyncio.to_thread(fake_stack.restart, "streamer")
        await live.end()
        events += [event async for event in live]
    assert words_of(events) == TEXT
    assert [type(event) for event in events].count(SessionResumed) == 1
    numbers = [event.sequence for event in events if event.sequence]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_others_follow_a_session(fake_stack: Stack) -> None:
    """A second client gets the same events as the speaker, from the first one, over a restart of the streamer."""
    samples = encode(WORDS).tobytes()
    async with (
        AsyncClient(fake_stack.address, streaming_address=fake_stack.streaming_address) as client,
        client.open_stream(LiveConfig(sample_rate=16_000, engine="fake")) as live,
    ):
        await live.send(samples)
        started = await anext(live)
        assert isinstance(started, SessionStarted)
        following = client.watch_session(started.session_id, partials=False)
        async with aclosing(following) as follow:
            first = await anext(follow)
            await asyncio.to_thread(fake_stack.streamer.kill)
            await asyncio.to_thread(fake_stack.restart, "streamer")
            await live.end()
            seen = [first, *[event async for event in follow]]
        own = [started, *[event async for event in live]]
    assert words_of(seen) == words_of(own) == TEXT
    assert [event.sequence for event in seen] == [event.sequence for event in own if event.sequence]


async def test_a_kept_recording_can_be_transcribed_again(fake_stack: Stack) -> None:
    """With `keep_recording` the end of a session names an upload, and a job on it gives the same words."""
    samples = encode(WORDS).tobytes()
    config = LiveConfig(sample_rate=16_000, engine="fake", keep_recording=True)
    async with AsyncClient(fake_stack.address, streaming_address=fake_stack.streaming_address) as client:
        async with client.open_stream(config) as live:
            await live.send(samples)
            await live.end()
            events = [event async for event in live]
        ended = events[-1]
        assert isinstance(ended, SessionEnded)
        job = await client.submit(ended.upload, engine="fake")
        assert (await client.wait(job.name, timeout_seconds=60)).state == JobState.SUCCEEDED
        transcript = await client.get_transcript(job.name)
    assert transcript.text.split() == words_of(events) == TEXT
    assert ended.audio_seconds == len(samples) / 32_000
