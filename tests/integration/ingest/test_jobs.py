"""Creation, repetition, reads and lists of jobs."""

import secrets
import uuid

import grpc
import pytest
from google.rpc import error_details_pb2

from tests.integration.ingest.conftest import DEADLINE_SECONDS, Ingest, StartIngest, detail, refused
from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import (
    CreateTranscriptionRequest,
    GetTranscriptionRequest,
    GetTranscriptRequest,
    ListTranscriptionsRequest,
    ListTranscriptionsResponse,
    WatchTranscriptionRequest,
)
from tiro_core.ids import new_id
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer, StreamState
from tiro_core.messaging.records import RecordStore
from tiro_core.messaging.subjects import record as record_key
from tiro_ingest.resources.idempotency import IdempotencyStore, idempotent_request

PAGE_BYTES_MAX = 2 * 1024 * 1024
PAGE_JOBS = 70
"""Number of jobs of 33 kB that exceeds a page."""
INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND


async def _job(ingest: Ingest, name: str) -> Transcription:
    job: Transcription = await ingest.jobs.GetTranscription(GetTranscriptionRequest(name=name), **ingest.options)
    return job


async def _list(ingest: Ingest, page_size: int = 0, page_token: str = "") -> ListTranscriptionsResponse:
    request = ListTranscriptionsRequest(page_size=page_size, page_token=page_token)
    response: ListTranscriptionsResponse = await ingest.jobs.ListTranscriptions(request, **ingest.options)
    return response


async def _stored(bus: Bus, stream: str, subject: str) -> list[bytes]:
    """All messages on a subject."""
    found = []
    async with OrderedConsumer(bus, stream, subject) as consumer:
        async for entry in consumer:
            if isinstance(entry, StreamState):
                break
            found.append(entry.data)
    return found


async def test_a_job_is_stored_before_it_is_answered(ingest: Ingest, bus: Bus, tenant: str, speech: bytes) -> None:
    """Record and first event are stored when the caller gets the answer."""
    upload = await ingest.upload(speech)
    config = RecognitionConfig(engine="faster-whisper", hotwords=["Cicero"], enable_word_time_offsets=True)
    job = await ingest.transcribe(upload=upload.name, display_name="a speech", config=config)
    assert (job.state, job.display_name, job.upload) == (Transcription.STATE_QUEUED, "a speech", upload.name)
    assert (job.config.engine, job.config.model, list(job.config.hotwords)) == (
        "faster-whisper",
        "base",
        ["Cicero"],
    )
    assert job.audio_duration == upload.audio.duration
    assert await _job(ingest, job.name) == job

    job_id = job.name.removeprefix("transcriptions/")
    records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
    stored = await records.get(record_key(tenant, job_id))
    assert stored is not None
    (first,) = await _stored(bus, topology.JOB_EVENTS, subjects.job_events(tenant, job_id))
    assert TranscriptionEvent.FromString(first) == TranscriptionEvent(sequence=1, state_changed=stored.value)


async def test_inline_audio_becomes_an_upload(ingest: Ingest, speech: bytes) -> None:
    """Audio in a request becomes an upload, which the answer names instead."""
    job = await ingest.transcribe(content=speech)
    assert not job.content
    upload = await ingest.get(job.upload)
    assert upload.committed_size == len(speech)
    assert job.audio_duration == upload.audio.duration


async def test_audio_too_large_for_a_message_is_refused(ingest: Ingest) -> None:
    """More than 2 MiB in a request is refused."""
    async with refused(INVALID, "INVALID_REQUEST") as errors:
        await ingest.transcribe(content=bytes(2 * 1024 * 1024 + 1))
    assert detail(errors[0], error_details_pb2.BadRequest).field_violations[0].field == "transcription.content"


async def test_a_repeated_request_gives_the_same_job(ingest: Ingest, bus: Bus, tenant: str, speech: bytes) -> None:
    """A repeated request returns the first job, with one event. With another content it is refused."""
    first = await ingest.transcribe(content=speech, request_id="mine")
    assert await ingest.transcribe(content=speech, request_id="mine") == first
    async with refused(INVALID, "REQUEST_ID_REUSED") as errors:
        await ingest.transcribe(content=speech, display_name="other", request_id="mine")
    assert detail(errors[0], error_details_pb2.BadRequest).field_violations[0].field == "request_id"
    assert [job.name for job in (await _list(ingest)).transcriptions] == [first.name]
    job_id = first.name.removeprefix("transcriptions/")
    assert len(await _stored(bus, topology.JOB_EVENTS, subjects.job_events(tenant, job_id))) == 1


async def test_a_repeated_request_creates_the_job_of_a_crashed_one(
    ingest: Ingest, bus: Bus, tenant: str, speech: bytes
) -> None:
    """After a crash behind the request's record, the repeated request creates the job with the reserved id."""
    request = CreateTranscriptionRequest(transcription=Transcription(content=speech), request_id="mine")
    reserved = await IdempotencyStore(bus).reserve(idempotent_request(tenant, "CreateTranscription", "mine", request))
    job = await ingest.jobs.CreateTranscription(request, **ingest.options)
    assert job.name == f"transcriptions/{reserved}"


async def test_a_repeated_request_writes_the_event_of_a_crashed_one(
    ingest: Ingest, bus: Bus, tenant: str, speech: bytes
) -> None:
    """After a crash behind the job's record, the repeated request writes the first event."""
    job = await ingest.transcribe(content=speech, request_id="mine")
    subject = subjects.job_events(tenant, job.name.removeprefix("transcriptions/"))
    await bus.jetstream.purge_stream(topology.JOB_EVENTS, subject=subject)
    assert await ingest.transcribe(content=speech, request_id="mine") == job
    assert len(await _stored(bus, topology.JOB_EVENTS, subject)) == 1


async def test_request_ids_are_separate_for_each_tenant(ingest: Ingest, stranger: Ingest, speech: bytes) -> None:
    """The same request_id of two tenants gives two jobs."""
    mine = await ingest.transcribe(content=speech, request_id="same")
    theirs = await stranger.transcribe(content=speech, display_name="other", request_id="same")
    assert mine.name != theirs.name


@pytest.mark.parametrize(
    ("config", "reason", "field"),
    [
        (RecognitionConfig(engine="abacus"), "UNKNOWN_ENGINE", "transcription.config.engine"),
        (RecognitionConfig(engine="fake", model="huge"), "UNKNOWN_MODEL", "transcription.config.model"),
        (
            RecognitionConfig(engine="faster-whisper", model="tiny.en", language_code="es"),
            "UNSUPPORTED_LANGUAGE",
            "transcription.config.language_code",
        ),
    ],
)
async def test_an_unknown_engine_model_or_language_is_refused(
    ingest: Ingest, speech: bytes, config: RecognitionConfig, reason: str, field: str
) -> None:
    """An unknown engine, model or language is refused with its field, and no job is created."""
    async with refused(INVALID, reason) as errors:
        await ingest.transcribe(content=speech, config=config)
    assert detail(errors[0], error_details_pb2.BadRequest).field_violations[0].field == field
    assert not (await _list(ingest)).transcriptions


@pytest.mark.parametrize(
    ("asked", "kept"), [("EN", "en"), ("en_us", "en-US"), ("zh-hans-cn", "zh-Hans-CN"), ("auto", ""), ("cmn", "cmn")]
)
async def test_a_language_is_named_by_any_tag(ingest: Ingest, speech: bytes, asked: str, kept: str) -> None:
    """A tag with a region or a script names the model's language. The job has the tag in the usual letter case."""
    config = RecognitionConfig(engine="faster-whisper", model="base", language_code=asked)
    assert (await ingest.transcribe(content=speech, config=config)).config.language_code == kept


@pytest.mark.parametrize(("asked", "meant"), [("english", "en"), ("jp", "ja"), ("tlh", None), ("no tag", None)])
async def test_a_language_that_was_probably_meant_is_named(
    ingest: Ingest, speech: bytes, asked: str, meant: str | None
) -> None:
    """The refusal has the languages of the model, and the one that was probably meant."""
    config = RecognitionConfig(engine="faster-whisper", model="base", language_code=asked)
    async with refused(INVALID, "UNSUPPORTED_LANGUAGE") as errors:
        await ingest.transcribe(content=speech, config=config)
    message = errors[0].details() or ""
    assert (f"was {meant!r} meant?" in message) == (meant is not None)
    assert " de, el, en, es," in message


async def test_a_job_needs_a_finished_upload(ingest: Ingest) -> None:
    """A missing or open upload, and a job without a recording, are refused."""
    async with refused(NOT_FOUND, "UPLOAD_NOT_FOUND"):
        await ingest.transcribe(upload=f"uploads/{uuid.uuid4()}")
    created = await ingest.create()
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "UPLOAD_NOT_READY"):
        await ingest.transcribe(upload=created.name)
    async with refused(INVALID, "INVALID_REQUEST"):
        await ingest.transcribe(display_name="nothing to transcribe")


async def test_a_job_without_a_worker_has_what_it_waits_for(start_ingest: StartIngest, bus: Bus, speech: bytes) -> None:
    """`waiting_for` names the model until a live worker offers it, in the catalogue or not."""
    engine = f"own-{secrets.token_hex(4)}"
    worker = WorkerRecord(worker_id=new_id(), engine=engine, model="large", language_codes=["en"])
    workers = RecordStore(bus, topology.WORKERS_BUCKET, WorkerRecord)
    await workers.put(worker.worker_id, worker)
    ingest = await start_ingest()
    job = await ingest.transcribe(content=speech, config=RecognitionConfig(engine=engine, model="large"))
    assert job.waiting_for == ""
    await workers.delete(worker.worker_id)
    ingest = await start_ingest()
    assert "large" in (await _job(ingest, job.name)).waiting_for
    assert "large" in (await _list(ingest)).transcriptions[0].waiting_for


async def test_jobs_are_listed_newest_first_in_pages(ingest: Ingest, stranger: Ingest, speech: bytes) -> None:
    """Every job of the tenant is on one page, and no job of another tenant."""
    upload = await ingest.upload(speech)
    names = [(await ingest.transcribe(upload=upload.name)).name for _ in range(5)]
    await stranger.transcribe(content=speech)
    seen, token = [], ""
    while True:
        page = await _list(ingest, page_size=2, page_token=token)
        seen.append([job.name for job in page.transcriptions])
        token = page.next_page_token
        if not token:
            break
    assert seen == [names[:2:-1], names[2:0:-1], names[:1]]
    assert [job.name for job in (await _list(ingest)).transcriptions] == names[::-1]


async def test_a_page_of_large_jobs_is_shorter(ingest: Ingest, speech: bytes) -> None:
    """A page is limited in bytes below gRPC's default of 4 MiB, and each job is on one page."""
    upload = await ingest.upload(speech)
    pairs = [{"find": f"{number:080}", "replace": "x" * 80} for number in range(200)]
    names = [
        (await ingest.transcribe(upload=upload.name, config={"replacements": pairs})).name for _ in range(PAGE_JOBS)
    ]
    seen, token = list[str](), ""
    while True:
        page = await _list(ingest, page_size=1000, page_token=token)
        assert page.ByteSize() <= PAGE_BYTES_MAX + 100_000
        seen += [job.name for job in page.transcriptions]
        token = page.next_page_token
        if not token:
            break
    assert seen == names[::-1]
    assert len(page.transcriptions) < PAGE_JOBS


@pytest.mark.parametrize("token", ["nonsense", "AAAA", "ümläut"])
async def test_an_invalid_page_token_is_refused(ingest: Ingest, token: str) -> None:
    """A token of any other form is INVALID_PAGE_TOKEN."""
    async with refused(INVALID, "INVALID_PAGE_TOKEN"):
        await _list(ingest, page_token=token)


async def test_a_page_token_of_another_tenant_is_refused(ingest: Ingest, stranger: Ingest, speech: bytes) -> None:
    """A token is valid for its tenant's list only."""
    upload = await ingest.upload(speech)
    for _ in range(2):
        await ingest.transcribe(upload=upload.name)
    token = (await _list(ingest, page_size=1)).next_page_token
    async with refused(INVALID, "INVALID_PAGE_TOKEN"):
        await _list(stranger, page_token=token)


async def test_another_tenants_job_is_not_found(ingest: Ingest, stranger: Ingest, speech: bytes) -> None:
    """Reads and watches of another tenant's job, and of a missing one, are NOT_FOUND."""
    job = await ingest.transcribe(content=speech)
    for client, name in ((stranger, job.name), (ingest, f"transcriptions/{uuid.uuid4()}")):
        async with refused(NOT_FOUND, "TRANSCRIPTION_NOT_FOUND"):
            await _job(client, name)
        async with refused(NOT_FOUND, "TRANSCRIPTION_NOT_FOUND"):
            await client.jobs.GetTranscript(GetTranscriptRequest(name=name), **client.options)
        async with refused(NOT_FOUND, "TRANSCRIPTION_NOT_FOUND"):
            await client.jobs.WatchTranscription(WatchTranscriptionRequest(name=name), **client.options).read()


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ((), "API_KEY_MISSING"),
        ((("authorization", "Basic dXNlcg=="),), "API_KEY_MISSING"),
        ((("authorization", "Bearer tiro_wrong"),), "API_KEY_INVALID"),
    ],
)
async def test_a_call_needs_a_key(ingest: Ingest, metadata: tuple[tuple[str, str], ...], reason: str) -> None:
    """A call without a key or with a wrong one is UNAUTHENTICATED."""
    async with refused(grpc.StatusCode.UNAUTHENTICATED, reason):
        await ingest.jobs.ListTranscriptions(ListTranscriptionsRequest(), timeout=DEADLINE_SECONDS, metadata=metadata)
