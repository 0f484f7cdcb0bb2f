"""The jobs of one engine and model: those that wait, those that are enqueued (offered), and those that run."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_ingest.dispatch.fair_queue import FairQueue, Waiting

OFFERS_WITHOUT_WORKER = 1
"""The jobs that are offered while no worker is alive, so that the first worker to start has work at once."""


@dataclass(frozen=True, slots=True)
class _Taken:
    tenant: str
    worker_id: str


@dataclass(slots=True)
class _Offer:
    job: Waiting
    since: float
    """When the job was last offered, by the monotonic clock."""


class ModelQueue:
    """The state of each job of a model, as its record says: waiting, offered or taken."""

    def __init__(self) -> None:
        self.queue = FairQueue()
        self._offers: dict[str, _Offer] = {}
        self._running: dict[str, _Taken] = {}

    def on_change(self, key: str, record: TranscriptionRecord) -> None:
        """Note that a job was written.

        A job that was begun before and is QUEUED again still has its task message, which is delivered again.
        """
        if record.state == Transcription.STATE_QUEUED and not record.attempts:
            if key not in self._offers:
                self.queue.put(Waiting(key, record.tenant, record.lane, record.transcription_id))
            return
        self.forget(key)
        if record.state == Transcription.STATE_RUNNING and not record.split:
            self._running[key] = _Taken(record.tenant, record.lease.worker_id)

    def forget(self, key: str) -> None:
        """Note that a job is over or deleted."""
        self.queue.discard(key)
        self._offers.pop(key, None)
        self._running.pop(key, None)

    def next_offers(self, workers: Sequence[WorkerRecord]) -> Iterator[Waiting]:
        """Take the jobs to offer now from the queue: one for each free slot of these workers.

        Each counts as offered once it was yielded.
        """
        free = self._free(workers)
        under_way = Counter(taken.tenant for taken in self._running.values())
        under_way.update(offer.job.tenant for offer in self._offers.values())
        while free > 0:
            job = self.queue.take(under_way)
            if job is None:
                return
            self._offers[job.key] = _Offer(job, time.monotonic())
            under_way[job.tenant] += 1
            free -= 1
            yield job

    def has_room(self, workers: Sequence[WorkerRecord]) -> bool:
        """Whether one of these workers would begin one more job at once."""
        return any(worker.job_slots for worker in workers) and self._free(workers) > len(self.queue)

    def forgotten_offers(self, after_seconds: float) -> Iterator[Waiting]:
        """Jobs that no worker has claimed for this time: their message may be lost. Each counts as offered again."""
        now = time.monotonic()
        for offer in self._offers.values():
            if now - offer.since >= after_seconds:
                offer.since = now
                yield offer.job

    def not_offered(self, job: Waiting) -> None:
        """Note that a job of `next_offers` could not be enqueued: it waits again."""
        if self._offers.pop(job.key, None) is not None:
            self.queue.put(job)

    def _free(self, workers: Sequence[WorkerRecord]) -> int:
        slots = {worker.worker_id: worker.job_slots for worker in workers if worker.job_slots}
        if not slots:
            return OFFERS_WITHOUT_WORKER - len(self._offers)
        running = sum(taken.worker_id in slots for taken in self._running.values())
        return sum(slots.values()) - running - len(self._offers)
