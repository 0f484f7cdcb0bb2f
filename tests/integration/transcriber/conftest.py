"""A transcriber with the fake engine, with jobs as ingest creates them and a session as a streamer opens it."""

import asyncio
import hashlib
import io
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

import pytest

from tests.integration.transcriber.live_session import Session
from tests.integration.transcriber.replacements import NO_REPLACEMENTS, pairs
from tests.support.nats import NatsServer
from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1.audio_pb2 import AudioInfo
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import Transcription, TranscriptionOptions
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.interface import PART_BYTES
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.blobs.keys import upload_key
from tiro_core.clock import duration, now
from tiro_core.ids import new_id
from tiro_core.jobs.states import TERMINAL
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import StoredMessage
from tiro_core.messaging.queues.tasks import enqueue_job
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer
from tiro_core.messaging.records import RecordStore
from tiro_core.routing.workers import open_worker_directory
from tiro_engines.fake.markers import encode
from tiro_transcriber.app import serve
from tiro_transcriber.settings import TranscriberSettings


def recording(words: Sequence[int], *, gap_ms: int = 100) -> bytes:
    """A WAV file with these words for the fake engine."""
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(16_000)
        target.writeframes(encode(words, gap_ms=gap_ms).tobytes())
    return file.getvalue()


class Jobs:
    """Creates jobs as ingest does, and reads their results."""

    def __init__(self, bus: Bus, tenant: str) -> None:
        self.bus = bus
        self.tenant = tenant
        self.records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self.blobs = JetStreamBlobStore(bus)

    async def submit(
        self,
        audio: bytes,
        *,
        language: str = "",
        region: str = "",
        model: str = "markers",
        seconds: float = 0,
        options: TranscriptionOptions | None = None,
        info: AudioInfo | None = None,
        replacements: Mapping[str, str] = NO_REPLACEMENTS,
    ) -> str:
        """Store a recording and a job for it, and enqueue the job."""
        upload, job = new_id(), new_id()
        for index, offset in enumerate(range(0, len(audio), PART_BYTES)):
            await self.blobs.put_part(upload_key(self.tenant, upload), index, audio[offset : offset + PART_BYTES])
        record = UploadRecord(
            tenant=self.tenant,
            upload_id=upload,
            committed_size=len(audio),
            state=Upload.STATE_READY,
            sha256=hashlib.sha256(audio).hexdigest(),
            audio=info,
        )
        await RecordStore(self.bus, topology.UPLOADS_BUCKET, UploadRecord).create(
            subjects.record(self.tenant, upload), record
        )
        await self.records.create(
            subjects.record(self.tenant, job),
            TranscriptionRecord(
                tenant=self.tenant,
                transcription_id=job,
                upload_id=upload,
                state=Transcription.STATE_QUEUED,
                config=RecognitionConfig(
                    engine="fake",
                    model=model,
                    language_code=language,
                    region=region,
                    enable_word_time_offsets=True,
                    replacements=pairs(replacements),
                ),
                audio_duration=duration(seconds),
                lane=Transcription.LANE_STANDARD,
                options=options,
                create_time=now(),
            ),
        )
        await self.enqueue(job)
        return job

    async def enqueue(self, job: str) -> None:
        """Enqueue a job."""
        await enqueue_job(self.bus, await self.record(job))

    async def record(self, job: str) -> TranscriptionRecord:
        """The job's record."""
        stored = await self.records.get(subjects.record(self.tenant, job))
        assert stored is not None
        return stored.value

    async def events(self, job: str) -> list[TranscriptionEvent]:
        """The job's events up to the terminal one, which is awaited."""
        found: list[TranscriptionEvent] = []
        async with OrderedConsumer(self.bus, topology.JOB_EVENTS, subjects.job_events(self.tenant, job)) as consumer:
            async for entry in consumer:
                if isinstance(entry, StoredMessage):
                    found.append(TranscriptionEvent.FromString(entry.data))
                    if found[-1].state_changed.state in TERMINAL:
                        break
        return found


@pytest.fixture
def jobs(bus: Bus, tenant: str) -> Jobs:
    """Jobs of the test's tenant."""
    return Jobs(bus, tenant)


@pytest.fixture
async def session(bus: Bus, tenant: str) -> Session:
    """An open session."""
    session = Session(bus, tenant)
    await session.open()
    return session


@pytest.fixture
def settings(nats_server: NatsServer) -> TranscriberSettings:
    """Settings of a transcriber with the fake engine, on free ports."""
    return TranscriberSettings.model_validate(
        {
            "nats_url": nats_server.url,
            "nats_monitor_url": nats_server.monitor_url,
            "engine": "fake",
            "transcriber_health_address": "127.0.0.1:0",
            "transcriber_metrics_address": "",
        }
    )


Worker = Callable[[], Awaitable[None]]
Start = Callable[[], Awaitable[Worker]]


@pytest.fixture
async def start_worker(settings: TranscriberSettings, bus: Bus) -> AsyncIterator[Start]:
    """A function that starts a worker, and returns a function that stops it. All are stopped at the end."""
    stops: list[Worker] = []

    async def start() -> Worker:
        stopping = asyncio.Event()
        serving = asyncio.create_task(serve(settings, stopping))

        async def stop() -> None:
            stopping.set()
            await serving

        stops.append(stop)
        return stop

    yield start
    for stop in stops:
        await stop()


@pytest.fixture
async def worker(start_worker: Start) -> Worker:
    """A running worker. A call of the fixture stops it."""
    return await start_worker()


async def workers_alive(bus: Bus) -> set[str]:
    """Ids of registered fake workers, including those that other tests have just killed."""
    async with open_worker_directory(bus) as directory:
        return {record.worker_id for record in directory.offering("fake", "markers")}
