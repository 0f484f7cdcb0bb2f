"""Recovery without an operator after any process was killed: real processes, the fake engine."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.e2e.speech import wav
from tests.support.stack import Stack
from tiro_client import AsyncClient, Final, LiveConfig, LiveEvent, Partial, WorkerChanged
from tiro_engines.fake.markers import encode

WORDS = range(40)
TEXT = [f"w{number}" for number in WORDS]
RECORDING = wav(encode(WORDS))

pytestmark = pytest.mark.xdist_group("fake stack")


async def transcribed(client: AsyncClient) -> list[str]:
    """The words that a new job gives."""
    transcript = await client.transcribe(RECORDING, engine="fake", timeout_seconds=60)
    return transcript.text.split()


async def streamed(client: AsyncClient) -> list[str]:
    """The words that a new live session gives."""

    async def audio() -> AsyncIterator[bytes]:
        samples = encode(WORDS).tobytes()
        for begin in range(0, len(samples), 3200):
            yield samples[begin : begin + 3200]

    events = [event async for event in client.stream(audio(), sample_rate=16_000, engine="fake")]
    return [word for event in events if isinstance(event, Final) for word in event.segment.text.split()]


@pytest.mark.parametrize("name", ["ingest", "streamer", "transcriber", "nats"])
async def test_service_continues_after_a_kill_and_a_restart(fake_stack: Stack, name: str) -> None:
    """After a process was killed and restarted, jobs and live sessions work as before."""
    async with AsyncClient(fake_stack.address, streaming_address=fake_stack.streaming_address) as client:
        assert await transcribed(client) == TEXT
        if name == "nats":
            await asyncio.to_thread(fake_stack.nats.kill)
            await asyncio.to_thread(fake_stack.nats.start)
        else:
            await asyncio.to_thread(getattr(fake_stack, name).kill)
            await asyncio.to_thread(fake_stack.restart, name)
        assert await transcribed(client) == TEXT
        assert await streamed(client) == TEXT


async def test_a_live_session_outlives_its_worker(fake_stack: Stack) -> None:
    """The transcriber is killed in mid-sentence: the client sees no error, no lost word, no repeated word."""
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
        await asyncio.to_thread(fake_stack.transcriber.kill)
        await asyncio.to_thread(fake_stack.restart, "transcriber")
        await live.send(samples[half:].tobytes())
        await live.end()
        events += [event async for event in live]
    words = [word for event in events if isinstance(event, Final) for word in event.segment.text.split()]
    assert words == TEXT
    assert any(isinstance(event, WorkerChanged) for event in events)


async def test_services_stop_on_sigterm(fake_stack: Stack) -> None:
    """SIGTERM ends each service with status 0 and without an error in its log."""
    services = (fake_stack.ingest, fake_stack.streamer, fake_stack.transcriber)
    before = [len(service.log) for service in services]  # Other tests have killed what these services depend on.
    async with AsyncClient(fake_stack.address, streaming_address=fake_stack.streaming_address) as client:
        assert await transcribed(client) == TEXT
    for service, begin in zip(services, before, strict=True):
        assert await asyncio.to_thread(service.stop) == 0
        assert [line for line in service.log[begin:] if line.get("level") in ("error", "critical")] == []
        assert service.log[-1]["event"] == "stopped"
