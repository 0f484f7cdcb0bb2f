"""Sending callbacks, as owned work: tried until the receiver accepts, or until `callback_seconds_max` is over.

There is no lease: the queue delivers a task message to one sender at a time, and its redelivery time is longer than a
try takes.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tiro.events.v1.transcription_pb2 import TranscriptionRecord, TranscriptionTask
from tiro.transcription.v1.transcription_pb2 import Callback
from tiro_core.clock import now, seconds_until
from tiro_core.leases.claims import Claimed, Refusal, Terminal
from tiro_core.leases.runner import Retry, Task
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.queues.work_queue import Slot, TaskMessage
from tiro_core.messaging.records import RecordStore
from tiro_engines.backoff import backoff
from tiro_ingest.callbacks.delivery import CallbackClient
from tiro_ingest.metrics import CALLBACKS

BACKOFF_SECONDS = 5.0
"""The wait before the second try. It is doubled before each further one; half of it is random."""
BACKOFF_SECONDS_MAX = 3600.0
DELIVERIES_KEPT_MAX = 20
"""The most deliveries that a job's record keeps: the latest ones."""

log = get_logger()


class CallbackWork:
    """The callbacks of one ingest service.

    Args:
        bus: The connection.
        client: Delivers callbacks.
        seconds_max: How long after a job's end its callback is tried.
    """

    kind = "job"

    def __init__(self, bus: Bus, client: CallbackClient, *, seconds_max: float) -> None:
        self._records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self._client = client
        self._seconds_max = seconds_max

    def task_of(self, data: bytes) -> Task:
        """Read a task message."""
        task = TranscriptionTask.FromString(data)
        return Task(task.tenant, task.transcription_id)

    async def claim(self, key: str) -> Claimed[TranscriptionRecord] | Refusal[TranscriptionRecord]:
        """Claim a callback that is still to be delivered."""
        stored = await self._records.get(key)
        if stored is None or stored.value.removing or stored.value.callback.state != Callback.STATE_PENDING:
            return Terminal(stored.value if stored else None)
        return Claimed(stored.value)

    def attempt(self, claim: TranscriptionRecord, slot: Slot) -> "CallbackAttempt":  # noqa: ARG002 - it keeps its slot
        """Make an attempt to deliver one callback."""
        return CallbackAttempt(self._records, self._client, claim, seconds_max=self._seconds_max)

    async def finish(self, record: TranscriptionRecord | None) -> None:
        """Do nothing: a sender leaves nothing to complete."""

    async def redirect(self, record: TranscriptionRecord) -> None:
        """Do nothing: any ingest service may send any callback."""

    async def tidy(self, key: str) -> None:
        """Do nothing: a sender writes only the job's record."""


class _Removed(Exception):  # noqa: N818 - reads as the condition it reports
    """The job was deleted meanwhile."""


class CallbackAttempt:
    """One try to deliver one callback."""

    def __init__(
        self,
        records: RecordStore[TranscriptionRecord],
        client: CallbackClient,
        record: TranscriptionRecord,
        *,
        seconds_max: float,
    ) -> None:
        self._records = records
        self._client = client
        self._record = record
        self._seconds_max = seconds_max
        self._tries = 1
        self._delivery = Callback.Delivery()
        self._state = Callback.STATE_PENDING

    def holding(self, message: TaskMessage) -> AbstractAsyncContextManager[None]:
        """Hold nothing: a try is shorter than the redelivery time of the message."""
        self._tries = message.deliveries
        return _nothing_held()

    async def run(self) -> None:
        """Send the callback once."""
        self._delivery, is_worth_another = await self._client.deliver(self._record)
        self._state = _state(self._delivery, again=is_worth_another and not self._is_late())

    async def commit(self) -> Retry | None:
        """Write the delivery into the job's record. A callback that was not accepted is tried again later."""
        key = subjects.record(self._record.tenant, self._record.transcription_id)
        try:
            await self._records.mutate(key, self._note)
        except (KeyError, _Removed):
            return None
        CALLBACKS.labels(Callback.State.Name(self._state).removeprefix("STATE_").lower()).inc()
        delivery = self._delivery
        log.info("callback_tried", http_status=delivery.http_status, error=delivery.error, state=self._state)
        return self._later() if self._state == Callback.STATE_PENDING else None

    async def fail(self, cause: BaseException) -> Retry | None:
        """Write into the job's record that the service has failed, and try again later, unless that is too late."""
        log.error("callback_failed", exc_info=cause)
        self._delivery = Callback.Delivery(time=now(), error="the service could not send it")
        self._state = _state(self._delivery, again=not self._is_late())
        return await self.commit()

    async def hand_over(self) -> None:
        """Do nothing: another sender tries at once."""

    def _is_late(self) -> bool:
        return -seconds_until(self._record.end_time) > self._seconds_max

    def _later(self) -> Retry:
        return Retry(backoff(self._tries, first_seconds=BACKOFF_SECONDS, seconds_max=BACKOFF_SECONDS_MAX))

    def _note(self, record: TranscriptionRecord) -> None:
        if record.removing:
            raise _Removed
        record.callback.state = self._state
        record.callback.deliveries.append(self._delivery)
        del record.callback.deliveries[:-DELIVERIES_KEPT_MAX]


@asynccontextmanager
async def _nothing_held() -> AsyncIterator[None]:
    yield


def _state(delivery: Callback.Delivery, *, again: bool) -> "Callback.State.ValueType":
    if not delivery.error:
        return Callback.STATE_DELIVERED
    return Callback.STATE_PENDING if again else Callback.STATE_FAILED
