"""The requests that this worker's engine can serve, and those that it leaves to other workers of its model."""

import random
import time
from collections import OrderedDict
from datetime import timedelta

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.messaging import subjects
from tiro_core.routing.availability import ModelAvailability, Offer, offer_of
from tiro_core.routing.suitability import NO_OPTIONS, serving, unserved
from tiro_core.routing.workers import WorkerDirectory
from tiro_engines.interface import Engine, Feature
from tiro_transcriber.pipeline.stage_types import stage_features

JOB_PATIENCE_SECONDS = 300.0
"""How long a job waits while no live worker can serve it, because a suitable one may be restarting."""
SESSION_PATIENCE_SECONDS = 15.0
"""The same for a live session, whose client waits: less than the time that a streamer waits for a new owner."""
WRONG_WORKER_SECONDS = 0.25
"""The mean delay after which the task message of a record that this worker cannot serve is delivered again."""
WAITING_MAX = 10_000
"""The most records whose wait is remembered. A further one replaces the oldest, whose wait begins again."""


class Suitability:
    """Decides which records this worker leaves to other workers. There is one for jobs and one for live sessions."""

    def __init__(
        self, worker: WorkerRecord, workers: WorkerDirectory, *, feature: Feature, patience_seconds: float
    ) -> None:
        """Make it without waiting records.

        Args:
            worker: This worker.
            workers: All live workers.
            feature: CAPABILITY_BATCH for jobs, CAPABILITY_LIVE for live sessions.
            patience_seconds: How long a record that no live worker can serve waits for one that can.
        """
        self._worker = worker
        self._workers = workers
        self._feature = feature
        self._patience_seconds = patience_seconds
        self._waiting_since: OrderedDict[str, float] = OrderedDict()

    def leaves_to_others(self, record: TranscriptionRecord | SessionRecord) -> bool:
        """Whether this worker must not claim a record, because another worker can serve it, or one may start again.

        A record that no live worker could serve for `patience_seconds` is claimed: then `require_served` fails it with
        the reason.
        """
        key, config, options = _asked(record)
        alive = self._workers.offering(self._worker.engine, self._worker.model)
        workers = [worker for worker in alive if self._feature in worker.capabilities]
        whole = ModelAvailability(None, [*workers, self._worker]).whole
        if unserved(config, options, offer_of(self._worker), whole) is None:
            self._waiting_since.pop(key, None)
            return False
        if serving(workers, config, options):
            self._waiting_since.pop(key, None)
            return True
        return self._waits(key)

    def _waits(self, key: str) -> bool:
        now = time.monotonic()
        since = self._waiting_since.setdefault(key, now)
        if now - since >= self._patience_seconds:
            del self._waiting_since[key]
            return False
        if len(self._waiting_since) > WAITING_MAX:
            self._waiting_since.popitem(last=False)
        return True


def wrong_worker_retry() -> timedelta:
    """The delay of one such message, chosen at random between half and one and a half times the mean.

    NATS delivers to the waiting workers in turn. With equal delays, two messages for two unlike workers could be
    delivered to the wrong one of them at every turn, without an end.
    """
    return timedelta(seconds=WRONG_WORKER_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - no secret


def require_served(engine: Engine, record: TranscriptionRecord | SessionRecord) -> None:
    """Refuse a record that the engine cannot serve, before the engine gets any audio.

    Raises:
        TiroError: INVALID_ARGUMENT, with the reason UNSUPPORTED_LANGUAGE, REGION_NOT_ALLOWED or UNSUPPORTED_OPTION.
    """
    can = engine.capabilities
    offer = Offer(can.languages, can.features | stage_features(), can.regions)
    _, config, options = _asked(record)
    refusal = unserved(config, options, offer, offer)
    if refusal is not None:
        raise refusal


def _asked(
    record: TranscriptionRecord | SessionRecord,
) -> tuple[str, RecognitionConfig, TranscriptionOptions]:
    """The key of a record, its config and its options."""
    if isinstance(record, TranscriptionRecord):
        return subjects.record(record.tenant, record.transcription_id), record.config, record.options
    return subjects.record(record.tenant, record.session_id), record.recognition, NO_OPTIONS
