"""Enqueueing jobs for workers: as many at a time as there are free slots.

Workers take the messages of a NATS queue in the order of their arrival. So a job is enqueued only when a worker has a
free slot for it. Until then it waits here, where the fair order is decided for each free slot. Several ingest services
may dispatch at once: they decide by the same records, and the queue refuses a job that it has already.
"""

import asyncio
from collections import Counter, defaultdict
from datetime import timedelta

import structlog

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.errors import resource_exhausted
from tiro_core.jobs.states import TERMINAL
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.queues.tasks import enqueue_job
from tiro_core.routing.workers import WorkerDirectory
from tiro_ingest.dispatch.fair_queue import Waiting
from tiro_ingest.dispatch.model_queue import ModelQueue
from tiro_ingest.metrics import JOBS_WAITING

OFFERS_AT_ONCE = 32
"""The most task messages that are being published at the same time."""
INTERVAL_SECONDS = 1.0
"""How often free slots are counted when no job changes, because workers start and stop."""
FULL_RETRY_AFTER = timedelta(seconds=30)
"""When a tenant with too many waiting jobs may try again."""

Model = tuple[str, str]
"""Engine and model."""

log = get_logger()


class Dispatcher:
    """Follows the jobs, and enqueues one for each free slot.

    Its memory grows with the number of jobs that are not over.

    Args:
        bus: The connection.
        workers: The live workers.
        waiting_max: The most jobs of one tenant that may wait.
        again_seconds: A job that no worker has claimed for this time is enqueued again: its task message may be lost.
    """

    def __init__(self, bus: Bus, workers: WorkerDirectory, *, waiting_max: int, again_seconds: float) -> None:
        self._bus = bus
        self._workers = workers
        self._waiting_max = waiting_max
        self._again_seconds = again_seconds
        self._records: dict[str, TranscriptionRecord] = {}
        self._fetching: Counter[str] = Counter()
        self._shadows: Counter[str] = Counter()
        self._queues: defaultdict[Model, ModelQueue] = defaultdict(ModelQueue)
        self._places = asyncio.Semaphore(OFFERS_AT_ONCE)
        self._changed = asyncio.Event()

    def on_change(self, key: str, record: TranscriptionRecord | None) -> None:
        """Note that a job was written or deleted (`record` is None)."""
        before = self._records.pop(key, None)
        for counted, one in ((before, -1), (record, 1)):
            if counted is not None and counted.state == Transcription.STATE_FETCHING:
                self._fetching[counted.tenant] += one
            if counted is not None and counted.shadow_of and counted.state == Transcription.STATE_QUEUED:
                self._shadows[counted.tenant] += one
        if record is None or record.state in TERMINAL:
            if before is not None:
                self._queues[_model(before)].forget(key)
                self._count(_model(before))
        else:
            self._records[key] = record
            self._queues[_model(record)].on_change(key, record)
            self._count(_model(record))
        self._changed.set()

    def require_room(self, tenant: str) -> None:
        """Require that one more job of this tenant may wait, for its recording or for its turn.

        Raises:
            TiroError: RESOURCE_EXHAUSTED, with the reason QUEUE_FULL and a delay.
        """
        queued = sum(queue.queue.count(tenant) for queue in self._queues.values())
        # Shadows do not count against a tenant's limit: its callers did not create them.
        if queued - self._shadows[tenant] + self._fetching[tenant] >= self._waiting_max:
            message = f"the tenant has {self._waiting_max} jobs waiting already, its limit"
            raise resource_exhausted(reasons.ERROR_REASON_QUEUE_FULL, message, retry_after=FULL_RETRY_AFTER)

    def has_room(self, config: RecognitionConfig) -> bool:
        """Whether one more job for this engine and model would begin at once."""
        workers = self._workers.offering(config.engine, config.model)
        return self._queues[config.engine, config.model].has_room(workers)

    def is_served(self, config: RecognitionConfig) -> bool:
        """Whether any live worker of this engine and model takes jobs, now or later."""
        return any(worker.job_slots for worker in self._workers.offering(config.engine, config.model))

    async def run(self) -> None:
        """Enqueue a job for each free slot, whenever a job or a worker changes, until cancelled."""
        while True:
            await self._offer_all()
            try:
                async with asyncio.timeout(INTERVAL_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                continue
            self._changed.clear()

    async def _offer_all(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for model, queue in list(self._queues.items()):
                for job in queue.next_offers(self._workers.offering(*model)):
                    tasks.create_task(self._offer(queue, job))
                for job in queue.forgotten_offers(self._again_seconds):
                    tasks.create_task(self._offer(queue, job, again=True))
                self._count(model)

    def _count(self, model: Model) -> None:
        JOBS_WAITING.labels(*model).set(len(self._queues[model].queue))

    async def _offer(self, queue: ModelQueue, job: Waiting, *, again: bool = False) -> None:
        record = self._records.get(job.key)
        if record is None:
            return
        with structlog.contextvars.bound_contextvars(tenant=job.tenant, job=job.job_id):
            try:
                async with self._places:
                    new = await enqueue_job(self._bus, record)
            except MessagingError as error:
                log.warning("job_not_offered", error=repr(error))
                queue.not_offered(job)
                return
            if again and new:
                log.warning("job_offered_again", note="its task message was lost")


def _model(record: TranscriptionRecord) -> Model:
    return record.config.engine, record.config.model
