"""The time of a page of `ListTranscriptions` with many jobs."""

import asyncio
import statistics
import time

import grpc

from benchmarks.shared.report import table
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import ListTranscriptionsRequest
from tiro.transcription.v1.transcription_service_pb2_grpc import TranscriptionServiceStub
from tiro_core.clock import duration, now
from tiro_core.ids import new_id
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore

PAGE = 100
TIMES = 30
WRITES_AT_ONCE = 256


async def list_many(address: str, key: str, bus: Bus, *, tenant: str, jobs: int) -> str:
    """Write ended jobs directly into the store, and read pages."""
    records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
    for _ in range(0, jobs, WRITES_AT_ONCE):
        await asyncio.gather(*(_write(records, tenant) for _ in range(WRITES_AT_ONCE)))
    async with grpc.aio.insecure_channel(address) as channel:
        stub = TranscriptionServiceStub(channel)
        metadata = (("authorization", f"Bearer {key}"),)

        async def ask(token: str) -> tuple[float, str]:
            begun = time.perf_counter()
            request = ListTranscriptionsRequest(page_size=PAGE, page_token=token)
            page = await stub.ListTranscriptions(request, metadata=metadata)
            if len(page.transcriptions) != PAGE:
                raise AssertionError(f"the page has {len(page.transcriptions)} jobs")
            return time.perf_counter() - begun, page.next_page_token

        _, second = await ask("")
        first_page = [(await ask(""))[0] for _ in range(TIMES)]
        following, token = [], second
        for _ in range(TIMES):
            seconds, token = await ask(token)
            following.append(seconds)
    rows = [
        ["the first", f"{1000 * statistics.median(first_page):.1f}", f"{1000 * max(first_page):.1f}"],
        ["later ones", f"{1000 * statistics.median(following):.1f}", f"{1000 * max(following):.1f}"],
    ]
    return "\n\n".join(
        [
            f"A page of {PAGE} of {jobs} jobs of a tenant, read {TIMES} times:",
            table(["page", "ms, median", "ms, longest"], rows),
        ]
    )


async def _write(records: RecordStore[TranscriptionRecord], tenant: str) -> None:
    job = new_id()
    record = TranscriptionRecord(
        tenant=tenant,
        transcription_id=job,
        display_name=f"recording {job}",
        config=RecognitionConfig(engine="fake", model="markers", enable_word_time_offsets=True),
        upload_id=job,
        state=Transcription.STATE_SUCCEEDED,
        audio_duration=duration(60),
        create_time=now(),
        end_time=now(),
        audio_deleted=True,
    )
    await records.put(subjects.record(tenant, job), record)
