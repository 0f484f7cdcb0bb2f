"""Live speech is transcribed while it is spoken: real processes, real tiny.en."""

import asyncio
from itertools import pairwise

import pytest

from tests.e2e.live_audio import at_once, paced
from tests.e2e.speech import encoded, error_rate, pcm16
from tiro_client import (
    AsyncClient,
    ConfigRefused,
    ConfigUpdated,
    Final,
    LiveConfig,
    LiveEvent,
    Partial,
    SessionEnded,
    SessionStarted,
    Unavailable,
    UtteranceEnd,
)

RATE = 16_000

pytestmark = pytest.mark.xdist_group("tiny.en stack")


def text_of(events: list[LiveEvent]) -> str:
    """The text of all finals."""
    return " ".join(event.segment.text for event in events if isinstance(event, Final))


async def test_words_are_shown_while_they_are_spoken(client: AsyncClient) -> None:
    """In real time partials come before their finals, and the finals are right, in order and without overlap."""
    audio = paced(pcm16("dictation.wav"))
    events = [event async for event in client.stream(audio, sample_rate=RATE, language="en")]
    finals = [event.segment for event in events if isinstance(event, Final)]
    assert isinstance(events[0], SessionStarted)
    assert isinstance(events[-1], SessionEnded)
    assert events[-1].final_count == len(finals)
    assert error_rate(text_of(events), "dictation.wav") <= 0.15
    first_final = next(index for index, event in enumerate(events) if isinstance(event, Final))
    assert sum(isinstance(event, Partial) for event in events[:first_final]) >= 2
    assert all(before.end_seconds <= after.start_seconds for before, after in pairwise(finals))
    numbers = [event.sequence for event in events if event.sequence]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_faster_than_real_time_gives_the_same_words(client: AsyncClient) -> None:
    """A client that sends a file in one burst is slowed down, not cut short."""
    audio = at_once(pcm16("dictation.wav").tobytes())
    events = [event async for event in client.stream(audio, sample_rate=RATE, language="en")]
    assert error_rate(text_of(events), "dictation.wav") <= 0.15


@pytest.mark.parametrize(
    ("encoding", "container", "codec", "rate"),
    [("flac", "flac", "flac", 16_000), ("ogg_opus", "ogg", "libopus", 48_000)],
)
async def test_compressed_audio(client: AsyncClient, encoding: str, container: str, codec: str, rate: int) -> None:
    """FLAC and Opus need no sample rate: it is in their headers."""
    audio = at_once(encoded("dictation.wav", container, codec, rate))
    events = [event async for event in client.stream(audio, encoding=encoding)]
    assert error_rate(text_of(events), "dictation.wav") <= 0.15


async def test_telephone_audio(client: AsyncClient) -> None:
    """8 kHz mu-law is transcribed."""
    coded = encoded("dictation.wav", "mulaw", "pcm_mulaw", 8_000)
    events = [event async for event in client.stream(at_once(coded), encoding="mulaw", sample_rate=8_000)]
    assert error_rate(text_of(events), "dictation.wav") <= 0.2


async def test_finalize_answers_at_once(client: AsyncClient) -> None:
    """A finalize makes the words so far final, and the session continues."""
    samples = pcm16("dictation.wav")
    async with client.open_stream(LiveConfig(sample_rate=RATE, language="en")) as live:
        await live.send(samples[: 3 * RATE].tobytes())
        await live.finalize()
        events: list[LiveEvent] = []
        async for event in live:
            events.append(event)
            if isinstance(event, UtteranceEnd):
                break
        assert isinstance(events[-1], UtteranceEnd)
        assert events[-1].finalized
        assert "Rome" in text_of(events)
        await live.send(samples[3 * RATE :].tobytes())
        await live.end()
        events += [event async for event in live]
    assert error_rate(text_of(events), "dictation.wav") <= 0.3


async def test_a_refused_update_changes_nothing(client: AsyncClient) -> None:
    """Updates that cannot be served are events with the reason. The next one does not repeat them, and words come."""
    samples = pcm16("dictation.wav")
    async with client.open_stream(LiveConfig(sample_rate=RATE, language="en-US", speech_threshold=0.6)) as live:
        await live.update(language="es")
        await live.update(silence_seconds=60)
        events = [await anext(live) for _ in range(3)]
        refused = [event for event in events if isinstance(event, ConfigRefused)]
        assert [event.error.reason for event in refused] == ["UNSUPPORTED_LANGUAGE", "INVALID_REQUEST"]
        await live.update(utterance_seconds_max=12)
        await live.send(samples.tobytes())
        await live.end()
        events += [event async for event in live]
    [updated] = [event for event in events if isinstance(event, ConfigUpdated)]
    assert (updated.language, updated.silence_seconds, updated.utterance_seconds_max) == ("en-US", None, 12)
    assert updated.speech_threshold == pytest.approx(0.6)
    assert {event.segment.language for event in events if isinstance(event, Final)} == {"en-US"}
    assert error_rate(text_of(events), "dictation.wav") <= 0.15


async def test_silence_gives_no_text(client: AsyncClient) -> None:
    """Audio without speech gives no partial and no final."""
    audio = at_once(pcm16("no_speech.flac").tobytes())
    events = [event async for event in client.stream(audio, sample_rate=RATE)]
    assert not [event for event in events if isinstance(event, Partial | Final)]


async def test_several_streams_at_once(client: AsyncClient) -> None:
    """Concurrent streams do not mix."""

    async def text(begin: int, end: int) -> str:
        samples = pcm16("dictation.wav")[begin * RATE : end * RATE]
        events = [event async for event in client.stream(paced(samples, speed=2), sample_rate=RATE, language="en")]
        return text_of(events)

    first, second = await asyncio.gather(text(0, 6), text(6, 10))
    assert "secretary" in first
    assert "small sign" in second
    assert "small sign" not in first


async def test_no_worker_for_the_model(client: AsyncClient) -> None:
    """A model that no worker has loaded is refused at once with UNAVAILABLE."""
    with pytest.raises(Unavailable) as caught:
        async for _ in client.stream(at_once(b"\0\0" * 1600), sample_rate=RATE, model="base"):
            pass
    assert caught.value.reason == "NO_WORKER"
