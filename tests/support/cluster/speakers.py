"""Speakers: live sessions in real time, with the client library's resume. All words are counted."""

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
"""Silence between utterances: longer than the endpointer's, so that each utterance ends."""
FRAME_SECONDS = 0.1
RESUME_SECONDS = 45.0
"""The longest resume window that the service allows."""
AGAIN_SECONDS = 1.0
"""Delay of the next session after one that failed."""
_FRAME_BYTES = round(FRAME_SECONDS * SAMPLE_RATE) * 2


@dataclass
class Session:
    """One session of a speaker."""

    spoken: list[str] = field(default_factory=list)
    final: list[str] = field(default_factory=list)
    """Words of its finals."""
    shown_at: list[float] = field(default_factory=list)
    """When the session was opened, then when each new word was first shown. Monotonic seconds."""
    started: bool = False
    """`SessionStarted` came."""
    resumed: int = 0
    """Number of resumes."""
    error: str = ""
    """Label of the error that ended it. Empty if it was completed."""
    _newest: int = 0

    @property
    def lost(self) -> list[str]:
        """Words that were sent and are in no final."""
        return list((Counter(self.spoken) - Counter(self.final)).elements())

    @property
    def repeated(self) -> list[str]:
        """Words that are in finals more often than they were sent."""
        return list((Counter(self.final) - Counter(self.spoken)).elements())

    @property
    def out_of_order(self) -> bool:
        """Whether words of finals are in another order than sent."""
        numbers = [int(word.removeprefix("w")) for word in self.final]
        return numbers != sorted(numbers)

    @property
    def longest_gap_seconds(self) -> float:
        """The longest time without a new word."""
        gaps = (after - before for before, after in itertools.pairwise(self.shown_at))
        return max(gaps, default=0.0)

    def take(self, event: LiveEvent) -> None:
        """Record an event."""
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
    """One speaker. When its session fails, it opens another.

    Args:
        address: Address of a streamer.
        vocabulary: Issues words.
    """

    def __init__(self, address: str, vocabulary: Vocabulary) -> None:
        self._address = address
        self._vocabulary = vocabulary
        self.sessions: list[Session] = []

    async def speak_until(self, stop: asyncio.Event) -> None:
        """Send speech until `stop`, end the utterance, and read to the end of the session."""
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
        """Run one session.

        Raises:
            TiroError: It was refused, or ended by an error.
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
        """Send words in real time. The reader of the session gets the error that ends this."""
        try:
            await self._send(live, session, stop)
        except StreamClosed:
            return  # the reader gets the reason
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
                # A frame is due at its end in real time. Late frames follow at once, as from a microphone's buffer.
                await asyncio.sleep(max(0.0, begun + frames * FRAME_SECONDS - time.monotonic()))
        await live.end()
