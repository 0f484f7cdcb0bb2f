"""Live sessions of a worker, on a real NATS server. The test acts as the streamer."""

import grpc
import numpy as np
import pytest
from google.rpc.status_pb2 import Status

from tests.integration.transcriber.conftest import Worker
from tests.integration.transcriber.live_session import RATE, Session, numbered, words
from tiro.events.v1.live_pb2 import EndOfAudio, SessionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.streaming.v1.streaming_pb2 import Endpointing, Hotwords, UpdateConfig
from tiro_core.clock import duration
from tiro_core.errors import TiroError, from_status, reason_name
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import Change
from tiro_engines.fake.markers import encode

SHORT = duration(0.25)


async def test_audio_becomes_finals(session: Session, worker: Worker) -> None:
    """Every word is in a final once, sequences have no gap, and the end event has the totals."""
    await session.send(encode(range(30)))
    await session.end()
    events = await session.events()
    assert words(events) == numbered(0, 30)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[0].owner_changed.first_sample == 0
    assert events[-1].ended.sample_count == session.sent
    assert events[-1].ended.final_count == sum(event.HasField("final") for event in events)


async def test_partials_come_before_finals(session: Session, worker: Worker) -> None:
    """A partial is published before the final, with the sequence of the event before it."""
    partial = await session.send_for_partial(encode(range(4)))
    assert partial.segment.text.startswith("w0")
    assert partial.after_sequence >= 1
    await session.end()
    assert words(await session.events()) == numbered(0, 4)


async def test_a_pause_ends_the_utterance(session: Session, worker: Worker) -> None:
    """Silence after speech makes it final, without a finalize."""
    await session.send(encode(range(3)))
    await session.send(np.zeros(RATE, np.int16))
    events = await session.events(until="utterance_ended")
    assert words(events) == numbered(0, 3)
    assert not events[-1].utterance_ended.finalized
    await session.end()
    await session.events()


async def test_finalize_gives_a_final_and_the_session_continues(session: Session, worker: Worker) -> None:
    """A finalize makes all speech before it final, is answered, and the session continues."""
    await session.send(encode(range(3)))
    await session.finalize()
    events = await session.events(until="utterance_ended")
    assert words(events) == numbered(0, 3)
    assert events[-1].utterance_ended.finalized
    await session.send(encode(range(3, 6)))
    await session.end()
    assert words(await session.events()) == numbered(0, 6)


async def test_a_pause_message_ends_the_utterance(session: Session, worker: Worker) -> None:
    """A pause message, as of push-to-talk, ends the utterance. A second one has no effect."""
    await session.send(encode(range(3)))
    await session.pause()
    events = await session.events(until="utterance_ended")
    assert words(events) == numbered(0, 3)
    assert not events[-1].utterance_ended.finalized
    await session.pause()
    await session.end()
    await session.events()


async def test_a_session_without_audio(session: Session, worker: Worker) -> None:
    """A session without audio has no final, and ends without an error."""
    await session.end()
    events = await session.events()
    last = events[-1]
    assert [event.WhichOneof("event") for event in events] == ["owner_changed", "utterance_ended", "ended"]
    assert last.ended.sample_count == 0
    assert not last.ended.HasField("error")


async def test_an_end_with_an_error_ends_the_session(session: Session, worker: Worker) -> None:
    """The end of the audio with an error, as of a lost client, ends the session with that error."""
    await session.send(encode(range(3)))
    error = TiroError(grpc.StatusCode.CANCELLED, reasons.ERROR_REASON_SESSION_IDLE, "the client has left")
    await session.end(EndOfAudio(error=error.to_status()))
    events = await session.events()
    assert events[-1].ended.error.message == "the client has left"


async def test_the_audio_log_is_removed_at_the_end(session: Session, worker: Worker, bus: Bus) -> None:
    """After the end the record is ENDED, and the audio log is removed."""
    await session.send(encode(range(3)))
    await session.end()
    await session.events()
    async with session.records.watch(session.key) as changes:
        async for change in changes:
            if (
                isinstance(change, Change)
                and change.value is not None
                and change.value.state == SessionRecord.STATE_ENDED
            ):
                break
    await worker()
    subject = subjects.live_audio(session.tenant, session.id)
    info = await bus.jetstream.stream_info(topology.LIVE_AUDIO, subjects_filter=subject)
    assert not info.state.subjects


async def test_a_change_of_config_applies_from_its_position_on(session: Session, worker: Worker) -> None:
    """A change is answered with the new config, and applies to the audio after it."""
    await session.send(encode(range(2)))
    await session.update(UpdateConfig(hotwords=Hotwords(phrases=["Tiro"]), endpointing=Endpointing(silence=SHORT)))
    await session.send(encode(range(2, 4), gap_ms=300))
    await session.end()
    events = await session.events()
    [updated] = [event for event in events if event.HasField("config_updated")]
    assert updated.answered_controls == 1
    assert updated.config_updated.sample == len(encode(range(2)))
    assert list(updated.config_updated.recognition.hotwords) == ["Tiro"]
    assert updated.config_updated.recognition.engine == "fake"
    finals = [event.final.text for event in events if event.HasField("final")]
    assert finals[-1] == "w3"  # a pause of 300 ms ends an utterance now
    assert words(events) == numbered(0, 4)


async def test_a_language_that_the_engine_lacks_is_refused(session: Session, worker: Worker) -> None:
    """A language that the streamer has accepted and the engine refuses is answered so, and the session goes on."""
    await session.send(encode(range(2)))
    await session.update(UpdateConfig(language_code="xx", endpointing=Endpointing(silence=duration(0.1))))
    await session.send(encode(range(2, 4)))
    await session.end()
    events = await session.events()
    [refused] = [event for event in events if event.HasField("config_refused")]
    assert refused.answered_controls == 1
    assert refused.config_refused.sample == len(encode(range(2)))
    error = from_status(refused.config_refused.error)
    assert (reason_name(error.reason), "xx" in error.message) == ("UNSUPPORTED_LANGUAGE", True)
    assert not any(event.HasField("config_updated") for event in events)
    assert not events[-1].ended.HasField("error")
    assert words(events) == numbered(0, 4)


async def test_a_refused_change_is_told_in_its_place(session: Session, worker: Worker) -> None:
    """A change that the streamer has refused is an event, which counts as the answer to the client's control."""
    await session.send(encode(range(2)))
    await session.refuse_update(Status(code=3, message="no such language"))
    await session.update(UpdateConfig(hotwords=Hotwords(phrases=["Tiro"])))
    await session.send(encode(range(2, 4)))
    await session.end()
    events = await session.events()
    [refused] = [event for event in events if event.HasField("config_refused")]
    assert (refused.answered_controls, refused.config_refused.error.message) == (1, "no such language")
    [updated] = [event for event in events if event.HasField("config_updated")]
    assert updated.answered_controls == 2
    assert words(events) == numbered(0, 4)


@pytest.mark.parametrize(("asked", "named"), [("en-US", "en-US"), ("EN_us", "en-US"), ("", "en")])
async def test_finals_have_the_tag_that_was_asked_for(session: Session, worker: Worker, asked: str, named: str) -> None:
    """The engine gets its own language, and finals have the client's tag again."""
    await session.update(UpdateConfig(language_code=asked))
    await session.send(encode(range(2)))
    await session.end()
    assert {event.final.language_code for event in await session.events() if event.HasField("final")} == {named}


async def test_progress_is_published_to_the_streamer(session: Session, worker: Worker) -> None:
    """Progress is published with audio, and also without."""
    await session.send(encode(range(5)))
    assert await session.processed(session.sent) == session.sent
    await session.end()
    await session.events()
