"""Checks of records: each record is checked once, when its last write has reached a certain age.

A bucket's stream has the records in the order of their last writes. A check follows the stream at a distance of this
age. So its work depends on the number of writes, not of stored records, and it has one page in memory. Records that
were written under other settings, or by an operator, are found when the check begins again, once a day.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message

from tiro_core.errors import TiroError
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import Unreadable
from tiro_core.messaging.records import Change, RecordStore
from tiro_ingest.metrics import CHECKS_APPLIED
from tiro_ingest.retention.progress import Progress

PAGE_RECORDS = 500
"""Records in one page."""
RECORDS_PER_SECOND_MAX = 1000
"""The most records that are read per second."""
AGAIN_SECONDS = 24 * 3600.0
"""How often a check begins again at the oldest record."""
CONFIRM_SECONDS = 2.0
"""The time between two checks of a record that is due, before the rule is applied: for a moment after an election the
leader of a stream may not have all acknowledged messages."""

REMOVAL_SECONDS = 60.0
"""The longest time of a removal. One that is not done by then was left by a service that died."""
ORPHAN_SECONDS = 3600.0
"""How long a record, or a blob, may exist without the record that it belongs to, before that is written or after it is
deleted. A call takes at most minutes from the one write to the other."""

M = TypeVar("M", bound=Message)

log = get_logger()


@dataclass(frozen=True, slots=True)
class CheckAges:
    """The ages at which records are checked, in seconds since their last write."""

    removal_seconds: float = REMOVAL_SECONDS
    orphan_seconds: float = ORPHAN_SECONDS


class Verdict(Enum):
    """The result of checking a record."""

    NOTHING = "nothing"
    DUE = "due"
    WAIT = "wait"
    """The record will be due soon: the check stops before it, and continues there."""


@dataclass(frozen=True, slots=True)
class Aged(Generic[M]):
    """A record that has reached the age of its check."""

    key: str
    record: M
    revision: int
    """The revision of its last write."""


class Rule(Protocol[M]):
    """The rule of a check: when a record is due, and what is done then."""

    async def verdict(self, aged: Aged[M]) -> Verdict:
        """Decide about a record. This is done twice before `apply`."""

    async def apply(self, aged: Aged[M]) -> None:
        """Do what is due. A record that was written since is left as it is."""


@dataclass(frozen=True, slots=True)
class RecordCheck(Generic[M]):
    """Applies a rule to all records of a bucket."""

    name: str
    """Its name in the log, in the metric and in the saved position."""
    records: RecordStore[M]
    age_seconds: float
    """The age of the last write at which a record is checked."""
    rule: Rule[M]

    async def run(self, progress: Progress, confirm_seconds: float) -> None:
        """Check the records that have reached the age since the last run."""
        sequence = int(progress.cursor(self.name, again_seconds=AGAIN_SECONDS) or 0)
        has_more = True
        while has_more:
            begun = time.monotonic()
            page = await self.records.written_after(sequence, limit=PAGE_RECORDS)
            done = await self._check_page(page, confirm_seconds)
            if done:
                sequence = done[-1].revision
                progress.advance(self.name, str(sequence))
            has_more = len(done) == PAGE_RECORDS
            await asyncio.sleep(len(done) / RECORDS_PER_SECOND_MAX - (time.monotonic() - begun))
        progress.complete(self.name)

    async def _check_page(self, page: Sequence[Change[M]], confirm_seconds: float) -> Sequence[Change[M]]:
        """Check the records of a page that are old enough. Returns those that are done."""
        done: list[Change[M]] = []
        due: list[Aged[M]] = []
        for change in page:
            if time.time() - change.written_at < self.age_seconds:
                break
            aged = None if change.value is None else Aged(change.key, change.value, change.revision)
            verdict = Verdict.NOTHING if aged is None else await self._verdict(aged)
            if verdict is Verdict.WAIT:
                break
            if aged is not None and verdict is Verdict.DUE:
                due.append(aged)
            done.append(change)
        await self._apply(due, confirm_seconds)
        return done

    async def _verdict(self, aged: Aged[M]) -> Verdict:
        """The rule's verdict. Nothing is due where a record that it depends on cannot be read."""
        try:
            return await self.rule.verdict(aged)
        except Unreadable as error:
            log.warning("check_not_possible", check=self.name, key=aged.key, reason=str(error))
            return Verdict.NOTHING

    async def _apply(self, due: Sequence[Aged[M]], confirm_seconds: float) -> None:
        if due:
            await asyncio.sleep(confirm_seconds)
        for aged in due:
            if await self._verdict(aged) is not Verdict.DUE:
                continue
            try:
                await self.rule.apply(aged)
            except Unreadable as error:
                log.warning("check_not_applied", check=self.name, key=aged.key, reason=str(error))
                continue
            except TiroError as error:  # the record's owner, or another service, was faster
                log.debug("check_overtaken", check=self.name, key=aged.key, error=str(error))
                continue
            CHECKS_APPLIED.labels(self.name).inc()
            log.info("check_applied", check=self.name, key=aged.key)


class Check(Protocol):
    """A check of records of any kind."""

    async def run(self, progress: Progress, confirm_seconds: float) -> None:
        """Check the records that have reached the age since the last run."""


class CheckRunner:
    """Runs checks, one after the other.

    Args:
        checks: The checks, in this order.
        interval_seconds: The time from the end of one round to the next.
        confirm_seconds: The time between the two checks of a record that is due.
    """

    def __init__(
        self, checks: Sequence[Check], *, interval_seconds: float, confirm_seconds: float = CONFIRM_SECONDS
    ) -> None:
        self._checks = checks
        self._interval_seconds = interval_seconds
        self._confirm_seconds = confirm_seconds

    async def run(self, progress: Progress) -> None:
        """Run all checks at every interval, until cancelled."""
        while True:
            await self.round(progress)
            await asyncio.sleep(self._interval_seconds)

    async def round(self, progress: Progress) -> None:
        """Run each check once."""
        for check in self._checks:
            await check.run(progress, self._confirm_seconds)
