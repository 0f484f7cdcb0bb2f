"""A network that forwards nothing, while both ends of a live session believe that they are connected.

Real processes and the fake engine, whose words are numbered: each must come once, and in order. A speaker continues to
speak, as into a microphone. The times are shorter than the defaults, and in the same order (see docs/live.md).
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from tests.support.cluster.link import Mode
from tests.support.cluster.proxy import Proxy, running_proxy
from tests.support.stack import Stack, running_stack
from tiro_client import (
    AsyncClient,
    Final,
    LiveConfig,
    LiveEvent,
    LiveStream,
    Partial,
    SessionEnded,
    SessionResumed,
    TiroError,
)
from tiro_client.calls import connection
from tiro_engines.fake.markers import encode
from tiro_engines.interface import SAMPLE_RATE

LINK = "speaker"
IDLE_SECONDS = 3
"""Idle time after which the streamer closes a connection."""
FRAME_SECONDS = 0.1
WORDS_BEFORE = 5
WORDS_AFTER = 5


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy between the speaker and the streamer."""
    with running_proxy() as running:
        yield running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Tiro with the fake engine. Tests do not stop its processes."""
    settings = {
        "TIRO_ENGINE": "fake",
        "TIRO_DEFAULT_ENGINE": "fake",
        "TIRO_IDLE_SECONDS_MAX": str(IDLE_SECONDS),
    }
    with running_stack(tmp_path_factory.mktemp("stack"), settings) as running:
        yield running


@asynccontextmanager
async def connected(stack: Stack, proxy: Proxy) -> AsyncIterator[AsyncClient]:
    """A client whose live sessions go through the proxy."""
    port = proxy.open(LINK)
    proxy.set_target(LINK, int(stack.streaming_address.rpartition(":")[2]))
    async with AsyncClient(stack.address, streaming_address=f"127.0.0.1:{port}") as client:
        yield client


@pytest.fixture
async def client(stack: Stack, proxy: Proxy) -> AsyncIterator[AsyncClient]:
    """A client with default settings."""
    async with connected(stack, proxy) as client:
        yield client


@dataclass
class Speaker:
    """Speaks numbered words until it is stopped, and records the events."""

    live: LiveStream
    spoken: list[str] = field(default_factory=list)
    events: list[LiveEvent] = field(default_factory=list)
    ends: asyncio.Event = field(default_factory=asyncio.Event)
    shown: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self) -> None:
        """Speak and read to the end of the session.

        Raises:
            TiroError: The error that the reader got.
        """
        speaking = asyncio.create_task(self._speak())
        try:
            async for event in self.live:
                self.events.append(event)
                async with self.shown:
                    self.shown.notify_all()
        finally:
            speaking.cancel()
            await asyncio.wait([speaking])

    async def until_shown(self, words: int) -> None:
        """Wait until this many words more than now are spoken and shown."""
        last = f"w{len(self.spoken) + words - 1}"
        async with self.shown:
            await self.shown.wait_for(lambda: last in self._last_text())

    @property
    def words(self) -> list[str]:
        """The words of the finals."""
        return [word for event in self.events if isinstance(event, Final) for word in event.segment.text.split()]

    def count(self, kind: type[LiveEvent]) -> int:
        """The number of events of a kind."""
        return sum(isinstance(event, kind) for event in self.events)

    def _last_text(self) -> list[str]:
        texts = [event.segment.text for event in self.events[-1:] if isinstance(event, Partial | Final)]
        return " ".join(texts).split()

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        begun, frames = loop.time(), 0
        frame_bytes = 2 * round(SAMPLE_RATE * FRAME_SECONDS)
        while not self.ends.is_set():
            word = encode([len(self.spoken)]).tobytes()
            self.spoken.append(f"w{len(self.spoken)}")
            for begin in range(0, len(word), frame_bytes):
                await self.live.send(word[begin : begin + frame_bytes])
                frames += 1
                await asyncio.sleep(begun + frames * FRAME_SECONDS - loop.time())
        await self.live.end()


async def speak_over_a_black_hole(
    client: AsyncClient, proxy: Proxy, *, silent_seconds: float, resume_seconds: float
) -> tuple[Speaker, TiroError | None]:
    """Speak, silence the network for some time, continue, and end. Return the speaker and the error, if any."""
    config = LiveConfig(sample_rate=SAMPLE_RATE, engine="fake", resume_seconds=resume_seconds)
    async with client.open_stream(config) as live:
        speaker = Speaker(live)
        running = asyncio.create_task(speaker.run())
        await speaker.until_shown(WORDS_BEFORE)
        proxy.set_mode(LINK, Mode.SILENT)
        await asyncio.sleep(silent_seconds)  # the length of the outage is the subject
        proxy.set_mode(LINK, Mode.FORWARD)
        error: TiroError | None = None
        try:
            shown = asyncio.create_task(speaker.until_shown(WORDS_AFTER))
            await asyncio.wait([shown, running], return_when=asyncio.FIRST_COMPLETED)
            shown.cancel()
            speaker.ends.set()
            await running
        except TiroError as failure:
            error = failure
    return speaker, error


async def test_an_outage_that_no_side_detects(client: AsyncClient, proxy: Proxy) -> None:
    """After an outage shorter than the idle time the same connection continues, and no word is lost."""
    speaker, error = await speak_over_a_black_hole(client, proxy, silent_seconds=1, resume_seconds=20)
    assert error is None
    assert speaker.words == speaker.spoken
    assert speaker.count(SessionResumed) == 0


@pytest.mark.parametrize("client_notices", [True, False])
async def test_an_outage_longer_than_the_idle_limit(
    stack: Stack, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, client_notices: bool
) -> None:
    """The streamer closes the connection and keeps the session. The client resumes it, and no word is lost or repeated.

    A client that has detected the outage reconnects. One that has not gets the error once the connection works again.
    """
    ping_seconds = 1 if client_notices else 60
    monkeypatch.setattr(connection, "KEEPALIVE_SECONDS", ping_seconds)
    monkeypatch.setattr(connection, "KEEPALIVE_TIMEOUT_SECONDS", ping_seconds)
    async with connected(stack, proxy) as client:
        speaker, error = await speak_over_a_black_hole(client, proxy, silent_seconds=6, resume_seconds=20)
    assert error is None
    assert speaker.words == speaker.spoken
    assert speaker.count(SessionEnded) == 1
    [resumed] = [event for event in speaker.events if isinstance(event, SessionResumed)]
    # The network was silent for longer than this after the client could detect it.
    assert resumed.away_seconds > 1 or not client_notices


async def test_an_outage_longer_than_the_session_waits(client: AsyncClient, proxy: Proxy) -> None:
    """The session is lost, and its caller gets an error instead of SessionEnded."""
    speaker, error = await speak_over_a_black_hole(client, proxy, silent_seconds=7, resume_seconds=1)
    assert error is not None
    assert speaker.count(SessionEnded) == 0
    assert speaker.words == speaker.spoken[: len(speaker.words)]
