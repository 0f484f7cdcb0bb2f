"""Refused sessions and input: each kind has its reason, and valid audio before it is transcribed."""

from collections.abc import Sequence

import grpc
import pytest
from google.rpc import error_details_pb2

from tests.integration.streamer.audio import encoded, tone
from tests.integration.streamer.conftest import (
    LINEAR16,
    Client,
    Request,
    StartStreamer,
    error_of,
    info_of,
    pieces,
    read_all,
    read_until,
    reason_of,
)
from tests.support.scripted_worker import ScriptedWorker, running_worker
from tiro.events.v1.live_pb2 import SessionRecord
from tiro.speech.v1.audio_pb2 import AudioEncoding, AudioFormat
from tiro.speech.v1.recognition_pb2 import RecognitionConfig, Replacement
from tiro.streaming.v1.streaming_pb2 import Endpointing, Hotwords, Replacements, StreamingConfig, UpdateConfig
from tiro_core.clock import duration
from tiro_core.errors import from_status, reason_name
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import CAUGHT_UP, RecordStore
from tiro_engines.interface import Capability, Feature

FLAC = AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_FLAC, sample_rate_hertz=16_000)
OPUS = AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_OGG_OPUS)
TYRO = Replacement(find="tyro", replace="Tiro")


async def sessions_of(bus: Bus, engine: str) -> Sequence[SessionRecord]:
    """All sessions for an engine."""
    found = []
    async for change in RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord).watch(">"):
        if change is CAUGHT_UP:
            break
        if change.value is not None and change.value.recognition.engine == engine:
            found.append(change.value)
    return found


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (StreamingConfig(), "config.format"),
        (StreamingConfig(format=AudioFormat(sample_rate_hertz=8000)), "config.format.encoding"),
        (
            StreamingConfig(
                format=AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=96_000)
            ),
            "config.format.sample_rate_hertz",
        ),
        (StreamingConfig(format=AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_LINEAR16)), "config.format"),
        (
            StreamingConfig(format=LINEAR16, endpointing=Endpointing(silence=duration(60))),
            "config.endpointing.silence",
        ),
        (
            StreamingConfig(format=LINEAR16, recognition=RecognitionConfig(language_code=65 * "x")),
            "config.recognition.language_code",
        ),
    ],
)
async def test_an_invalid_config_is_refused(client: Client, config: StreamingConfig, field: str) -> None:
    """The error names the field that breaks a rule."""
    error = await client.be_refused(Request(config=config))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    violations = info_of(error, error_details_pb2.BadRequest).field_violations
    assert [item.field for item in violations] == [field]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (RecognitionConfig(engine="no-such-engine"), "UNKNOWN_ENGINE"),
        (RecognitionConfig(engine="faster-whisper", model="no-such-model"), "UNKNOWN_MODEL"),
        (RecognitionConfig(language_code="fr"), "UNSUPPORTED_LANGUAGE"),
    ],
)
async def test_an_unknown_engine_model_or_language_is_refused(
    client: Client, asked: RecognitionConfig, reason: str
) -> None:
    """An unknown engine, model or language is refused with its field."""
    recognition = RecognitionConfig(engine=client.engine)
    recognition.MergeFrom(asked)
    error = await client.be_refused(client.config(recognition=recognition))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    [violation] = info_of(error, error_details_pb2.BadRequest).field_violations
    assert violation.field.startswith("config.recognition.")


@pytest.mark.parametrize(
    ("asked", "reason", "field"),
    [
        (RecognitionConfig(enable_word_time_offsets=True), "UNSUPPORTED_OPTION", "enable_word_time_offsets"),
        (
            RecognitionConfig(engine="amazon-transcribe", language_code="en", hotwords=["Tiro"]),
            "UNSUPPORTED_OPTION",
            "hotwords",
        ),
        (RecognitionConfig(region="us-east-1"), "REGION_NOT_ALLOWED", "region"),
    ],
    ids=["word times", "hotwords", "region"],
)
async def test_an_option_that_the_model_lacks_is_refused(
    client: Client, asked: RecognitionConfig, reason: str, field: str
) -> None:
    """An option that the model lacks is refused with its field, before a session is created."""
    recognition = RecognitionConfig(engine=client.engine)
    recognition.MergeFrom(asked)
    error = await client.be_refused(client.config(recognition=recognition))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    [violation] = info_of(error, error_details_pb2.BadRequest).field_violations
    assert violation.field == f"config.recognition.{field}"
    if reason == "REGION_NOT_ALLOWED":
        assert info_of(error, error_details_pb2.ErrorInfo).metadata["regions"] == "eu-west-1"


async def test_an_option_that_the_model_has_is_accepted(client: Client, worker: ScriptedWorker) -> None:
    """Hotwords and an allowed region are accepted. Optional word times are left out, as `session_started` shows."""
    asked = RecognitionConfig(
        engine=client.engine,
        hotwords=["Tiro"],
        region="eu-west-1",
        enable_word_time_offsets=True,
        word_time_offsets_optional=True,
    )
    call = client.open()
    await call.write(client.config(recognition=asked))
    used = (await call.read()).session_started.recognition
    assert (list(used.hotwords), used.region, used.enable_word_time_offsets) == (["Tiro"], "eu-west-1", False)
    await call.done_writing()
    await read_all(call)


@pytest.mark.parametrize(
    ("capability", "none", "some"),
    [
        (
            Capability.CAPABILITY_HOTWORDS,
            UpdateConfig(hotwords=Hotwords()),
            UpdateConfig(hotwords=Hotwords(phrases=["Tiro"])),
        ),
        (
            Capability.CAPABILITY_REPLACEMENTS,
            UpdateConfig(replacements=Replacements()),
            UpdateConfig(replacements=Replacements(pairs=[TYRO])),
        ),
    ],
    ids=["hotwords", "replacements"],
)
async def test_a_change_in_mid_session_that_the_worker_cannot_serve(
    start_streamer: StartStreamer,
    worker: ScriptedWorker,
    *,
    capability: Feature,
    none: UpdateConfig,
    some: UpdateConfig,
) -> None:
    """Such a change is refused with its field. The removal of all hotwords is accepted."""
    worker.record.capabilities.remove(capability)
    await worker.register()
    client = await start_streamer()
    conversation = await client.converse(
        client.config(), Request(update_config=none), Request(update_config=some), Request(audio=bytes(3200))
    )
    [refused] = [item.config_refused for item in conversation.responses if item.HasField("config_refused")]
    error = from_status(refused.error)
    assert reason_name(error.reason) == "UNSUPPORTED_OPTION"
    [violation] = error.violations
    assert [f"update_config.{changed.name}" for changed, _ in some.ListFields()] == [violation.field]
    assert conversation.kinds()[-1] == "session_ended"
    kinds = [message.WhichOneof("input") for message in (await worker.only_session()).inputs]
    assert kinds.count("update_config") == 1


async def test_replacements_with_an_older_worker_are_refused(
    start_streamer: StartStreamer, worker: ScriptedWorker, bus: Bus, engine: str
) -> None:
    """One older worker is enough: it may get the session, and would ignore the replacements."""
    async with running_worker(bus, engine) as older:
        older.record.capabilities.remove(Capability.CAPABILITY_REPLACEMENTS)
        await older.register()
        client = await start_streamer()
        recognition = RecognitionConfig(engine=engine, replacements=[TYRO])
        error = await client.be_refused(client.config(recognition=recognition))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "UNSUPPORTED_OPTION")
    [violation] = info_of(error, error_details_pb2.BadRequest).field_violations
    assert violation.field == "config.recognition.replacements"
    assert not await sessions_of(bus, engine)


async def test_a_header_of_another_rate(client: Client) -> None:
    """A compressed stream whose header contradicts its config is refused."""
    data = encoded(tone(0.5, 44_100), 44_100, codec="flac", container="flac")
    error = await client.be_refused(client.config(FLAC), *pieces(data, 1000))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "AUDIO_FORMAT_MISMATCH")
    assert "44100" in str(error.details())


@pytest.mark.parametrize("announced", [FLAC, OPUS])
async def test_text_as_compressed_audio_is_refused(client: Client, announced: AudioFormat) -> None:
    """Text that is announced as compressed audio is refused."""
    error = await client.be_refused(client.config(announced), Request(audio=b"this is no audio at all " * 100))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "AUDIO_FORMAT_MISMATCH")


async def test_half_a_sample_at_the_end(client: Client, worker: ScriptedWorker) -> None:
    """A stream that ends within a sample is an error, after its whole samples were transcribed."""
    call = await client.start()
    await call.write(Request(audio=bytes(3201)))
    await call.done_writing()
    assert (await read_until(call, "final")).final.segment.text == "1600"
    error = await error_of(call)
    assert reason_of(error) == "AUDIO_FORMAT_MISMATCH"


async def test_a_session_that_is_too_long(start_streamer: StartStreamer, worker: ScriptedWorker) -> None:
    """Audio up to the limit is transcribed to the sample. More is refused."""
    client = await start_streamer(session_seconds_max=1.0)
    call = await client.start()
    await call.write(Request(audio=bytes(2 * 20_000)))
    error = await error_of(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "AUDIO_TOO_LONG")
    assert len((await worker.only_session()).pcm16) == 2 * 16_000


async def test_no_worker(start_streamer: StartStreamer, bus: Bus, engine: str) -> None:
    """A stream for a known model without a live worker is refused at once, with a retry delay."""
    async with running_worker(bus, engine, session_slots=0):
        client = await start_streamer()
        error = await client.be_refused(client.config())
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "NO_WORKER")
    assert info_of(error, error_details_pb2.RetryInfo).retry_delay.ToTimedelta().total_seconds() > 0
    assert not await sessions_of(bus, engine)


async def test_no_capacity(start_streamer: StartStreamer, bus: Bus, engine: str) -> None:
    """A session that no worker claims in time is refused with a retry delay, and cannot be claimed later."""
    async with running_worker(bus, engine, session_slots=1, sessions=1) as worker:
        worker.script.claims = False
        client = await start_streamer(claim_seconds_max=30, claim_seconds_full=0.3)
        error = await client.be_refused(client.config())
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "NO_CAPACITY")
        assert info_of(error, error_details_pb2.RetryInfo).retry_delay.ToTimedelta().total_seconds() > 0
        [record] = await sessions_of(bus, engine)
        assert record.state == SessionRecord.STATE_ENDED
        assert record.error.message


async def test_no_free_decoder(start_streamer: StartStreamer, worker: ScriptedWorker) -> None:
    """A compressed stream beyond the limit of decoding processes is refused. Others continue."""
    client = await start_streamer(decoders_max=1, decoder_start_seconds_max=0.2)
    first = await client.start(client.config(FLAC))
    error = await client.be_refused(client.config(FLAC))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "NO_CAPACITY")
    assert (await client.converse(client.config())).last.HasField("session_ended")
    first.cancel()
    assert await worker_end(worker, first)


async def worker_end(worker: ScriptedWorker, call: object) -> bool:
    """Wait until every session of the worker has ended."""
    for received in worker.received.values():
        await received.ended.wait()
    return True
