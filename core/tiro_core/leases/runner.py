"""The one loop of owned work: a task message is delivered, its record claimed, the work run, committed, and settled.

The rules of every owner:

* A message that cannot be read, or whose record cannot be, is rejected, and not delivered again.
* The record is written first, then the log of its events, and the message is settled last. So the next owner does not
  begin before this one has ended.
* An owner that is stopped hands its work over at once, also when it is cancelled while it claims.
* An owner that was replaced, or that gets no answer from NATS, leaves the record as it is. The lease expires, and the
  message is delivered again. If the work is over or deleted by then, the owner removes what it has written: also when
  it is stopped, or cancelled while it writes its result.
* An owner whose writes are refused because NATS is full hands the work over, to be tried again later.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import structlog
from google.protobuf.message import DecodeError

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.leases.claims import Claimed, Deferred, Refusal, Terminal, WrongModel
from tiro_core.leases.owned_record import OwnershipLost
from tiro_core.leases.shielding import shielded, with_deadline
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import BusUnavailable, Conflict, MessagingError, StreamFull, Unreadable
from tiro_core.messaging.event_log import Fenced
from tiro_core.messaging.queues.work_queue import Slot, TaskMessage

C = TypeVar("C")
R = TypeVar("R", bound=TranscriptionRecord | SessionRecord)

NO_ROOM_RETRY_SECONDS = 10.0
"""The delay after which work is tried again whose writes were refused because NATS was full."""
LEAVING = (BusUnavailable, Conflict, Fenced, OwnershipLost)
"""The errors after which an owner leaves its record as it is: another owner has it, or NATS does not answer."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class Task:
    """The contents of a task message."""

    tenant: str
    id: str
    """The id of the job or session."""

    @property
    def key(self) -> str:
        """The key of its record."""
        return f"{self.tenant}.{self.id}"


@dataclass(frozen=True, slots=True)
class Retry:
    """The message is to be delivered again."""

    after_seconds: float


class Attempt(Protocol):
    """One owner's work on one claim."""

    def holding(self, message: TaskMessage) -> AbstractAsyncContextManager[None]:
        """Hold the claim while the context lasts; the context raises when the claim is lost."""

    async def run(self) -> None:
        """Do the work, with the claim held. The result stays in the attempt until `commit`."""

    async def commit(self) -> Retry | None:
        """Write the result. Not interrupted. None: the work is over."""

    async def fail(self, cause: BaseException) -> Retry | None:
        """Write that the work has failed. Not interrupted. None: the work is over."""

    async def hand_over(self) -> None:
        """Give the claim back, so that another owner can continue at once."""


class Work(Protocol[C, R]):
    """One kind of owned work."""

    kind: str
    """Its name in logs: `job`, `session`."""

    def task_of(self, data: bytes) -> Task:
        """Read a task message.

        Raises:
            DecodeError: The data is no task message.
        """

    async def claim(self, key: str) -> "Claimed[C] | Refusal[R]":
        """Claim the work, or return why not."""

    def attempt(self, claim: C, slot: Slot) -> Attempt:
        """Make the attempt. It does nothing before `run`."""

    async def finish(self, record: R | None) -> None:
        """Complete what the last owner of work that is over may have left undone."""

    async def redirect(self, record: R) -> None:
        """Pass work on to the workers of its engine and model."""

    async def tidy(self, key: str) -> None:
        """Remove what this owner wrote about work that it left, if that is over or deleted by now."""


class WorkRunner(Generic[C, R]):
    """Handles the task messages of one kind of work, for all slots."""

    def __init__(self, work: Work[C, R], *, grace_seconds: float) -> None:
        """`grace_seconds` is how long a cancellation waits for a hand-over, or for what must not be interrupted."""
        self._work = work
        self._grace_seconds = grace_seconds

    async def handle(self, message: TaskMessage, slot: Slot) -> None:
        """Do the work of a task message, and settle the message."""
        try:
            task = self._work.task_of(message.data)
        except DecodeError as error:
            log.error("task_unreadable", subject=message.subject, error=error)  # noqa: TRY400 - a line says it all
            await message.reject()
            return
        with structlog.contextvars.bound_contextvars(tenant=task.tenant, **{self._work.kind: task.id}):
            try:
                await self._claim_and_run(task, message, slot)
            except Unreadable as error:
                log.error("work_unreadable", kind=self._work.kind, reason=str(error))  # noqa: TRY400 - as above
                await message.reject()
            except (MessagingError, OwnershipLost) as error:
                await self._leave(task, error)

    async def _claim_and_run(self, task: Task, message: TaskMessage, slot: Slot) -> None:
        async def give_back(outcome: "Claimed[C] | Refusal[R]") -> None:
            if isinstance(outcome, Claimed):
                await self._hand_over(self._work.attempt(outcome.claim, slot), message)

        match await shielded(self._work.claim(task.key), self._grace_seconds, give_back):
            case Claimed(claim):
                await self._run(task, self._work.attempt(claim, slot), message)
            case Deferred(retry_in):
                await message.retry(retry_in.total_seconds())
            case WrongModel(record):
                await self._work.redirect(record)
                await message.acknowledge()
            case Terminal(record):
                await self._work.finish(record)
                await message.acknowledge()

    async def _run(self, task: Task, attempt: Attempt, message: TaskMessage) -> None:
        try:
            async with attempt.holding(message):
                await attempt.run()
        except asyncio.CancelledError:
            await with_deadline(self._grace_seconds, self._or_leave(task, self._hand_over(attempt, message)))
            raise
        except Exception as failure:  # noqa: BLE001 - the attempt explains any exception of the work
            failing = self._fail(attempt, message, main_cause(failure))
            await shielded(self._or_leave(task, failing), self._grace_seconds)
        else:
            await shielded(self._or_leave(task, self._commit(attempt, message)), self._grace_seconds)

    async def _or_leave(self, task: Task, settling: Coroutine[Any, Any, None]) -> None:
        try:
            await settling
        except (MessagingError, OwnershipLost) as error:
            await self._leave(task, error)

    async def _leave(self, task: Task, reason: Exception) -> None:
        log.warning("work_left", kind=self._work.kind, reason=repr(reason))
        await with_deadline(self._grace_seconds, self._work.tidy(task.key))

    async def _commit(self, attempt: Attempt, message: TaskMessage) -> None:
        await _settle(message, await attempt.commit())

    async def _fail(self, attempt: Attempt, message: TaskMessage, cause: BaseException) -> None:
        if isinstance(cause, LEAVING):
            raise cause
        if isinstance(cause, StreamFull):
            log.error("no_room_for_results", kind=self._work.kind, reason=str(cause))
            await self._hand_over(attempt, message, after_seconds=NO_ROOM_RETRY_SECONDS)
            return
        await _settle(message, await attempt.fail(cause))

    async def _hand_over(self, attempt: Attempt, message: TaskMessage, *, after_seconds: float = 0.0) -> None:
        await attempt.hand_over()
        await message.retry(after_seconds)


async def _settle(message: TaskMessage, retry: Retry | None) -> None:
    if retry is None:
        await message.acknowledge()
    else:
        await message.retry(retry.after_seconds)


def main_cause(failure: BaseException) -> BaseException:
    """The one exception that explains a failure of a group of tasks.

    That is the loss of ownership or of NATS (`LEAVING`) if it is among them, because the others follow from it;
    otherwise the first one.
    """
    causes = list(_leaves(failure))
    return next((cause for cause in causes if isinstance(cause, LEAVING)), causes[0])


def _leaves(failure: BaseException) -> Iterator[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        for member in failure.exceptions:
            yield from _leaves(member)
    else:
        yield failure
