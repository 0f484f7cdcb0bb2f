"""Checks of records: each record is looked at once, when its last write has come to a certain age.

A bucket's stream has the records in the order of their last writes. A check goes through it behind the present by its
age, so its work is what is written, not what is stored, and it holds one page in memory. Records that were written
under other settings, or by an operator, are found when it begins anew, once a day.
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
from tiro_core.messaging.records import Change, RecordStore
from tiro_ingest.metrics import CHECKS_APPLIED
from tiro_ingest.retention.progress import Progress

PAGE_RECORDS = 500
"""How many records are read at once."""
RECORDS_PER_SECOND_MAX = 1000
"""How fast records are read."""
AGAIN_SECONDS = 24 * 3600.0
"""How often a check begins anew at the oldest record."""
CONFIRM_SECONDS = 2.0
"""How long after a first look a record is looked at once more before anything is done: for a moment after an
election the leader of a stream may not have what was acknowledged before."""

REMOVAL_SECONDS = 60.0
"""How long a removal takes at most. One that is not done by then was left by a service that died."""
ORPHAN_SECONDS = 3600.0
"""How long a record, or a blob, may be there before the record that it belongs to, or after that. The longest way
from the one to the other is a call's: minutes."""

M = TypeVar("M", bound=Message)

log = get_logger()


@dataclass(frozen=True, slots=True)
class CheckAges:
    """How old records are when they are looked at."""

    removal_seconds: float = REMOVAL_SECONDS
    orphan_seconds: float = ORPHAN_SECONDS


class Verdict(Enum):
    """What is to be done about a record."""

    NOTHING = "nothing"
    DUE = "due"
    WAIT = "wait"
    """It will be due in a moment: the check stays in front of it."""


@dataclass(frozen=True, slots=True)
class Aged(Generic[M]):
    """A record that has come of age."""

    key: str
    record: M
    revision: int
    """Of its last write."""


class Rule(Protocol[M]):
    """When something is due about a record, and what."""

    async def verdict(self, aged: Aged[M]) -> Verdict:
        """Look at a record. It is looked at twice before anything is done."""

    async def apply(self, aged: Aged[M]) -> None:
        """Do what is due. A record that was written since is left alone."""


@dataclass(frozen=True, slots=True)
class RecordCheck(Generic[M]):
    """A rule that all records of a bucket are held against."""

    name: str
    """Names it in the log, in the metric and in the saved position."""
    records: RecordStore[M]
    age_seconds: float
    """How old the last write of a record is when it is looked at."""
    rule: Rule[M]

    async def run(self, progress: Progress, confirm_seconds: float) -> None:
        """Look at what has come of age since the last time."""
        sequence = int(progress.cursor(self.name, again_seconds=AGAIN_SECONDS) or 0)
        has_more = True
        while has_more:
            begun = time.monotonic()
            page = await self.records.written_after(sequence, limit=PAGE_RECORDS)
            done = await self._look_at(page, confirm_seconds)
            if done:
                sequence = done[-1].revision
                progress.advance(self.name, str(sequence))
            has_more = len(done) == PAGE_RECORDS
            await asyncio.sleep(len(done) / RECORDS_PER_SECOND_MAX - (time.monotonic() - begun))
        progress.complete(self.name)

    async def _look_at(self, page: Sequence[Change[M]], confirm_seconds: float) -> Sequence[Change[M]]:
        """Look at the records of a page, as far as they are old enough. Returns those that are done."""
        done: list[Change[M]] = []
        due: list[Aged[M]] = []
        for change in page:
            if time.time() - change.written_at < self.age_seconds:
                break
            aged = None if change.value is None else Aged(change.key, change.value, change.revision)
            verdict = Verdict.NOTHING if aged is None else await self.rule.verdict(aged)
            if verdict is Verdict.WAIT:
                break
            if aged is not None and verdict is Verdict.DUE:
                due.append(aged)
            done.append(change)
        await self._apply(due, confirm_seconds)
        return done

    async def _apply(self, due: Sequence[Aged[M]], confirm_seconds: float) -> None:
        if due:
            await asyncio.sleep(confirm_seconds)
        for aged in due:
            if await self.rule.verdict(aged) is not Verdict.DUE:
                continue
            try:
                await self.rule.apply(aged)
            except TiroError as error:  # its owner, or another service, was faster
                log.debug("check_overtaken", check=self.name, key=aged.key, error=str(error))
                continue
            CHECKS_APPLIED.labels(self.name).inc()
            log.info("check_applied", check=self.name, key=aged.key)


class Check(Protocol):
    """A check of records of any kind."""

    async def run(self, progress: Progress, confirm_seconds: float) -> None:
        """Look at what has come of age since the last time."""


class CheckRunner:
    """Runs checks, one after the other.

    Args:
        checks: In this order.
        interval_seconds: How long after one round the next one begins.
        confirm_seconds: How long after a first look a record is looked at once more.
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
