"""Sessions without faults, on a real NATS server."""

import pytest

from tests.integration.streamer.audio import encoded, tone
from tests.integration.streamer.conftest import (
    LINEAR16,
    RATE,
    Client,
    Conversation,
    Request,
    pieces,
    read_all,
    read_until,
)
from tests.support.scripted_worker import Received, ScriptedWorker
from tiro.speech.v1.audio_pb2 import AudioEncoding, AudioFormat
from tiro.streaming.v1.streaming_pb2 import Endpointing, Finalize, KeepAlive
from tiro_core.audio.pcm import mulaw_to_pcm16
from tiro_core.clock import duration, duration_of

FRAME_BYTES = 3200
OPUS_RATE = 48_000
OPUS_FRAME = OPUS_RATE // 50


def session_of(worker: ScriptedWorker, conversation: Conversation) -> Received:
    """The messages of a conversation's session that the worker has received."""
    return worker.received[conversation.responses[0].session_started.session_id]


async def test_audio_reaches_the_worker_and_its_words_come_back(client: Client, worker: ScriptedWorker) -> None:
    """Every byte is on the audio log once and in order; events are numbered without gaps; the end has the totals."""
    samples = tone(1.0, RATE).tobytes()
    conversation = await client.converse(client.config(), *pieces(samples, FRAME_BYTES))
    assert conversation.kinds() == ["session_started", "final", "session_ended"]
    session = session_of(worker, conversation)
    session.check_contiguous()
    assert session.pcm16 == samples
    assert [item.sequence for item in conversation.numbered()] == [1, 2, 3]
    assert conversation.numbered()[1].final.segment.text == "16000"
    assert conversation.last.session_ended.audio_duration == duration_of(16_000, RATE)
    assert conversation.last.session_ended.final_count == 1


async def test_session_started_has_the_config_in_use(client: Client, worker: ScriptedWorker) -> None:
    """The first message has the session's config and limits, and the record has them as well."""
    endpointing = Endpointing(silence=duration(0.3))
    conversation = await client.converse(client.config(endpointing=endpointing))
    started = conversation.responses[0].session_started
    assert (started.recognition.engine, started.recognition.model) == (client.engine, "counter")
    assert started.duration_max == duration(4 * 3600)
    assert started.idle_max == duration(30)
    record = session_of(worker, conversation).record
    assert record.endpointing == endpointing
    assert record.sample_rate_hertz == RATE
    assert record.enable_interim_results


async def test_samples_may_be_split_anywhere(client: Client, worker: ScriptedWorker) -> None:
    """A message may end within a sample, which the next message continues."""
    samples = tone(0.1, RATE).tobytes()
    conversation = await client.converse(client.config(), *pieces(samples, 333))
    assert session_of(worker, conversation).pcm16 == samples


async def test_mulaw_is_expanded(client: Client, worker: ScriptedWorker) -> None:
    """Each byte of mu-law becomes one sample."""
    data = bytes(range(256)) * 10
    mulaw = AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_MULAW, sample_rate_hertz=8000)
    conversation = await client.converse(client.config(mulaw), *pieces(data, 160))
    session = session_of(worker, conversation)
    assert session.record.sample_rate_hertz == 8000
    assert session.pcm16 == mulaw_to_pcm16(data).tobytes()
    assert conversation.last.session_ended.audio_duration == duration_of(2560, 8000)


async def test_flac_is_decoded_exactly(client: Client, worker: ScriptedWorker) -> None:
    """FLAC at the announced rate arrives sample for sample."""
    samples = tone(1.0, 44_100)
    flac = AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_FLAC, sample_rate_hertz=44_100)
    data = encoded(samples, 44_100, codec="flac", container="flac")
    conversation = await client.converse(client.config(flac), *pieces(data, 1000))
    session = session_of(worker, conversation)
    session.check_contiguous()
    assert session.pcm16 == samples.tobytes()


async def test_flac_without_a_rate_is_resampled(client: Client, worker: ScriptedWorker) -> None:
    """Where only the header has the rate, the audio log has the models' rate: a session can start before its audio."""
    flac = AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_FLAC)
    data = encoded(tone(1.0, 48_000), 48_000, codec="flac", container="flac")
    conversation = await client.converse(client.config(flac), *pieces(data, 1000))
    session = session_of(worker, conversation)
    assert session.record.sample_rate_hertz == RATE
    assert len(session.pcm16) // 2 == pytest.approx(16_000, abs=2)


async def test_opus_is_decoded(client: Client, worker: ScriptedWorker) -> None:
    """Opus arrives to within a frame of its length."""
    opus = AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_OGG_OPUS, sample_rate_hertz=OPUS_RATE)
    data = encoded(tone(1.0, OPUS_RATE), OPUS_RATE, codec="libopus", container="ogg")
    conversation = await client.converse(client.config(opus), *pieces(data, 500))
    assert len(session_of(worker, conversation).pcm16) // 2 == pytest.approx(OPUS_RATE, abs=OPUS_FRAME)


async def test_finalize_applies_at_its_sample(client: Client, worker: ScriptedWorker) -> None:
    """Finalize makes the audio before it final, and the session continues."""
    call = await client.start()
    await call.write(Request(audio=bytes(FRAME_BYTES)))
    await call.write(Request(finalize=Finalize()))
    assert (await read_until(call, "final")).final.segment.text == "1600"
    ended = await read_until(call, "utterance_end")
    assert ended.utterance_end.finalized
    assert ended.utterance_end.offset == duration_of(1600, RATE)
    await call.write(Request(audio=bytes(2 * FRAME_BYTES)))
    await call.done_writing()
    rest = await read_all(call)
    assert [item.final.segment.text for item in rest.numbered() if item.HasField("final")] == ["3200"]


async def test_finalize_waits_for_the_decoder(client: Client, worker: ScriptedWorker) -> None:
    """In a compressed stream finalize comes after the audio that was sent before it, as far as that can be decoded."""
    opus = AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_OGG_OPUS)
    data = encoded(tone(3.0, OPUS_RATE), OPUS_RATE, codec="libopus", container="ogg")
    call = await client.start(client.config(opus))
    for request in pieces(data, 500):
        await call.write(request)
    await call.write(Request(finalize=Finalize()))
    final = await read_until(call, "final")
    # An Ogg page holds up to a second; the one that is being written is not there yet.
    assert int(final.final.segment.text) > 1.9 * RATE
    await call.done_writing()
    assert (await read_all(call)).last.HasField("session_ended")


async def test_a_session_without_audio(client: Client) -> None:
    """Half-closing at once ends the session without an error and without finals."""
    conversation = await client.converse(client.config())
    assert conversation.kinds() == ["session_started", "session_ended"]
    assert conversation.last.session_ended.final_count == 0


async def test_keep_alive_is_no_input(client: Client, worker: ScriptedWorker) -> None:
    """Keep-alives leave no trace on the audio log."""
    conversation = await client.converse(client.config(), Request(keep_alive=KeepAlive()))
    assert [item.WhichOneof("input") for item in session_of(worker, conversation).inputs] == ["end"]


async def test_partials_are_sent_while_audio_arrives(client: Client) -> None:
    """A partial is sent before the stream is half-closed, with the sequence of the event before it."""
    call = await client.start()
    await call.write(Request(audio=bytes(FRAME_BYTES)))
    partial = await read_until(call, "partial")
    assert partial.sequence == 0
    assert partial.partial.after_sequence == 1
    assert partial.partial.segment.text == "1600"
    await call.done_writing()
    await read_all(call)


async def test_partials_only_when_wanted(client: Client) -> None:
    """Without interim results none come."""
    samples = pieces(bytes(20 * FRAME_BYTES), FRAME_BYTES)
    conversation = await client.converse(client.config(enable_interim_results=False), *samples)
    assert not any(item.HasField("partial") for item in conversation.responses)


async def test_partials_that_are_out_of_date_are_dropped(client: Client, worker: ScriptedWorker) -> None:
    """A partial that comes after an event before the last one is not shown."""
    worker.script.partials_after_event = 0
    samples = pieces(bytes(20 * FRAME_BYTES), FRAME_BYTES)
    conversation = await client.converse(client.config(), *samples)
    assert conversation.kinds() == ["session_started", "final", "session_ended"]
    assert not any(item.HasField("partial") for item in conversation.responses)


async def test_stored_audio_is_acknowledged(client: Client) -> None:
    """The client gets acknowledgements of stored audio during the session, and for all audio before the end."""
    call = await client.start()
    await call.write(Request(audio=bytes(FRAME_BYTES)))
    assert (await read_until(call, "audio_ack")).audio_ack.offset == duration_of(1600, RATE)
    await call.write(Request(audio=bytes(FRAME_BYTES)))
    await call.done_writing()
    rest = (await read_all(call)).responses
    acknowledged = [item.audio_ack.offset.ToMilliseconds() for item in rest if item.HasField("audio_ack")]
    assert acknowledged == sorted(acknowledged)
    assert acknowledged[-1] == 200
    assert rest[-1].HasField("session_ended")


async def test_a_large_message_is_split(client: Client, worker: ScriptedWorker) -> None:
    """The largest message a client may send goes to the audio log in pieces that NATS takes."""
    samples = bytes(262_144)
    conversation = await client.converse(client.config(LINEAR16), Request(audio=samples))
    session = session_of(worker, conversation)
    session.check_contiguous()
    assert session.pcm16 == samples
    assert max(len(item.pcm16) for item in session.inputs) <= 128 * 1024


async def test_a_final_has_its_warnings(client: Client, worker: ScriptedWorker) -> None:
    """Warnings about a final are sent with it."""
    worker.script.warning = "a stage failed"
    call = await client.start()
    await call.write(Request(audio=bytes(32_000)))
    await call.done_writing()
    [final] = [response.final for response in (await read_all(call)).responses if response.HasField("final")]
    assert [warning.message for warning in final.warnings] == ["a stage failed"]
