"""Retries of failed and cancelled jobs."""

import grpc

from tests.integration.ingest.calls import cancel, delete, delete_audio
from tests.integration.ingest.conftest import Ingest, refused
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import RetryTranscriptionRequest


async def retry(ingest: Ingest, name: str, request_id: str = "") -> Transcription:
    """Retry a job."""
    request = RetryTranscriptionRequest(name=name, request_id=request_id)
    job: Transcription = await ingest.jobs.RetryTranscription(request, **ingest.options)
    return job


async def test_a_retry_is_a_new_job_with_the_same_settings(ingest: Ingest, speech: bytes) -> None:
    """A retry names the old job, has its recording and settings, and stays when the old one is deleted."""
    old = await ingest.transcribe(
        content=speech,
        display_name="a talk",
        config={"engine": "faster-whisper", "language_code": "es", "hotwords": ["Tiro"]},
        ttl={"seconds": 60},
    )
    await cancel(ingest, old.name)
    new = await retry(ingest, old.name, "once")
    assert (new.state, new.retry_of, new.upload) == (Transcription.STATE_QUEUED, old.name, old.upload)
    assert (new.display_name, new.config, new.ttl) == (old.display_name, old.config, old.ttl)
    assert new.audio_duration == old.audio_duration
    assert (await retry(ingest, old.name, "once")).name == new.name
    await delete(ingest, old.name)
    assert (await ingest.get(new.upload)).committed_size == len(speech)


async def test_retries_that_are_refused(ingest: Ingest, stranger: Ingest, speech: bytes) -> None:
    """A waiting job, one without its recording, and another tenant's cannot be retried."""
    old = await ingest.transcribe(content=speech)
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "TRANSCRIPTION_NOT_ENDED"):
        await retry(ingest, old.name)
    await cancel(ingest, old.name)
    async with refused(grpc.StatusCode.NOT_FOUND, "TRANSCRIPTION_NOT_FOUND"):
        await retry(stranger, old.name)
    await delete_audio(ingest, old.name)
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "AUDIO_DELETED"):
        await retry(ingest, old.name)
