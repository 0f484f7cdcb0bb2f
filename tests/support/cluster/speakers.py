"""Speakers: live sessions in real time, over the client library and its resuming, whose words are counted."""

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.support.cluster import words
from tests.support.cluster.errors import label
from tests.support.cluster.words import Vocabulary
from tiro_client import AsyncClient, Final, LiveConfig, LiveEvent, LiveStream, Partial, SessionResumed, SessionStarted
from tiro_client.errors import StreamClosed, TiroError
from tiro_engines.interface import SAMPLE_RATE

UTTERANCE_WORDS = 8
PAUSE_SECONDS = 0.8
"""Between utterances: longer than the silence that ends one, so that each becomes a final."""
FRAME_SECONDS = 0.1
RESUME_SECONDS = 45.0
"""The longest that the service allows: the speaker does not give up before the service does."""
AGAIN_SECONDS = 1.0
"""How long a speaker waits after a session that was ended or refused."""
_FRAME_BYTES = round(FRAME_SECONDS * SAMPLE_RATE) * 2


@dataclass
class Session:
    """One session of a speaker."""

    spoken: list[str] = field(default_factory=list)
    final: list[str] = field(default_factory=list)
    """The words of its finals."""
    shown_at: list[float] = field(default_factory=list)
    """When each word was first shown, after when it began. Monotonic seconds."""
    started: bool = False
    """A worker took it."""
    resumed: int = 0
    """How often its connection was replaced."""
    error: str = ""
    """What it was ended or refused with. Empty when it came to its own end."""
    _newest: int = 0

    @property
    def lost(self) -> list[str]:
        """Words that were spoken and are in no final."""
        return list((Counter(self.spoken) - Counter(self.final)).elements())

    @property
    def repeated(self) -> list[str]:
        """Words that are in finals more often than they were spoken."""
        return list((Counter(self.final) - Counter(self.spoken)).elements())

    @property
    def out_of_order(self) -> bool:
        """Whether words came in another order than they were spoken."""
        numbers = [int(word.removeprefix("w")) for word in self.final]
        return numbers != sorted(numbers)

    @property
    def longest_gap_seconds(self) -> float:
        """The longest time without a new word while there were words to show."""
        gaps = (after - before for before, after in itertools.pairwise(self.shown_at))
        return max(gaps, default=0.0)

    def take(self, event: LiveEvent) -> None:
        """Note what happened."""
        match event:
            case SessionStarted():
                self.started = True
            case SessionResumed():
                self.resumed += 1
            case Partial() | Final():
                self._show(event.segment.text.split())
        if isinstance(event, Final):
            self.final += event.segment.text.split()

    def _show(self, text: list[str]) -> None:
        newest = max((int(word.removeprefix("w")) for word in text), default=0)
        if newest > self._newest:
            self._newest = newest
            self.shown_at.append(time.monotonic())


class Speaker:
    """One speaker: when a session of theirs is ended, they open another.

    Args:
        address: Where the streamer is.
        vocabulary: Gives out words.
    """

    def __init__(self, address: str, vocabulary: Vocabulary) -> None:
        self._address = address
        self._vocabulary = vocabulary
        self.sessions: list[Session] = []

    async def speak_until(self, stop: asyncio.Event) -> None:
        """Speak until `stop`, finish the utterance, and read what is left."""
        async with AsyncClient(self._address, streaming_address=self._address) as client:
            while not stop.is_set():
                session = Session()
                self.sessions.append(session)
                try:
                    await self._hold(client, session, stop)
                except TiroError as error:
                    session.error = label(error)
                    await asyncio.sleep(AGAIN_SECONDS)

    async def _hold(self, client: AsyncClient, session: Session, stop: asyncio.Event) -> None:
        """One session, to its end.

        Raises:
            TiroError: It was ended before, or refused.
        """
        config = LiveConfig(sample_rate=SAMPLE_RATE, engine="fake", resume_seconds=RESUME_SECONDS)
        async with client.open_stream(config) as live:
            session.shown_at.append(time.monotonic())
            talking = asyncio.create_task(self._talk(live, session, stop), name="talking")
            try:
                async for event in live:
                    session.take(event)
            finally:
                talking.cancel()
                await asyncio.wait({talking})

    async def _talk(self, live: LiveStream, session: Session, stop: asyncio.Event) -> None:
        """Send words in real time. Whatever ends that reaches whoever reads the session."""
        try:
            await self._send(live, session, stop)
        except StreamClosed:
            return  # reading says why
        except TiroError as error:
            await live.fail(error)

    async def _send(self, live: LiveStream, session: Session, stop: asyncio.Event) -> None:
        begun, frames = time.monotonic(), 0
        while not stop.is_set():
            spoken = self._vocabulary.take(UTTERANCE_WORDS)
            session.spoken += words.text(spoken)
            audio = words.pcm(spoken, silence_seconds=PAUSE_SECONDS)
            for position in range(0, len(audio), _FRAME_BYTES):
                await live.send(audio[position : position + _FRAME_BYTES])
                frames += 1
                # A frame is due when it has been spoken. Late ones follow at once, as from a real microphone.
                await asyncio.sleep(max(0.0, begun + frames * FRAME_SECONDS - time.monotonic()))
        await live.end()
