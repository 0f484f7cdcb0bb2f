"""Sweeping the blob store: blobs without a record are removed. Services that died have left them."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tiro_core.blobs.interface import NOTHING, BlobStore, PartConflict, PartMissing, StoredPart
from tiro_core.blobs.keys import STORE_ID_KEY, BlobName, blob_name
from tiro_core.logs.logger import get_logger
from tiro_ingest.metrics import SWEEP_LAG_SECONDS, SWEPT_BLOBS, SWEPT_PARTS
from tiro_ingest.retention.blob_owners import BlobOwners
from tiro_ingest.retention.progress import Progress
from tiro_ingest.retention.record_checks import CONFIRM_SECONDS, ORPHAN_SECONDS

PARTS_PER_SECOND_MAX = 200
"""How fast the store is listed. JetStream reads each part, of 512 KiB at most, from its disk for that."""
INTERVAL_SECONDS = 60.0
"""The pause after a sweep that has checked every part that is old enough."""
AGAIN_SECONDS = 7 * 24 * 3600.0
"""How often a store that lists the newest parts last is swept from its beginning."""
PASS_SECONDS_MIN = 3600.0
"""The shortest time between the beginnings of two sweeps of any other store."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class SweepPolicy:
    """The times that keep a sweep from removing a blob too early."""

    orphan_seconds: float = ORPHAN_SECONDS
    """The least age of a part that is removed because it has no record. A part has a record while it is written; the
    age allows for clocks that differ, and for records that an operator restores."""
    confirm_seconds: float = CONFIRM_SECONDS
    """The time between two searches for the record of a blob. It is removed only when both find none."""


class BlobSweeper:
    """Checks the blobs of a store against the records, page by page."""

    def __init__(self, blobs: BlobStore, owners: BlobOwners, policy: SweepPolicy) -> None:
        self._blobs = blobs
        self._owners = owners
        self._policy = policy
        self._position = f"{blobs.kind}_blobs"

    async def run(self, progress: Progress, store_id: str) -> None:
        """Sweep again and again, until cancelled.

        Args:
            progress: The position of the sweep.
            store_id: The id of the records' store. A store with another id is not swept: its blobs may have records
                elsewhere.
        """
        while True:
            if await self._may_sweep(store_id):
                await self.sweep(progress)
            await asyncio.sleep(INTERVAL_SECONDS)

    async def sweep(self, progress: Progress, *, below: str = "") -> None:
        """Sweep once from the position of the last sweep, to the end or to parts that are not old enough.

        Args:
            progress: The position of the sweep.
            below: Sweep only blobs below this key. Empty: all.
        """
        again_seconds = AGAIN_SECONDS if self._blobs.lists_oldest_first else PASS_SECONDS_MIN
        cursor: str | None = progress.cursor(self._position, again_seconds=again_seconds)
        while cursor is not None:
            begun = time.monotonic()
            page = await self._blobs.list_parts(after=cursor, below=below)
            parts, is_last = self._old_enough(page.parts)
            await self._remove_orphans(parts)
            if page.parts and not is_last:
                progress.advance(self._position, page.next or page.parts[-1].cursor)
            elif parts:
                progress.advance(self._position, parts[-1].cursor)
            self._report(parts)
            cursor = None if is_last else page.next
            await asyncio.sleep(len(parts) / PARTS_PER_SECOND_MAX - (time.monotonic() - begun))
        SWEEP_LAG_SECONDS.set(0)
        progress.complete(self._position)

    def _old_enough(self, parts: Sequence[StoredPart]) -> tuple[Sequence[StoredPart], bool]:
        """The parts of a page that are old enough, and whether no later part can be."""
        is_old = [time.time() - part.stored_at >= self._policy.orphan_seconds for part in parts]
        if self._blobs.lists_oldest_first and False in is_old:
            return parts[: is_old.index(False)], True
        return [part for part, old in zip(parts, is_old, strict=True) if old], False

    async def _remove_orphans(self, parts: Iterable[StoredPart]) -> None:
        names = {name for key in {part.key for part in parts} if (name := blob_name(key)) is not None}
        orphans = [name for name in names if not await self._owners.need(name)]
        if orphans:
            await asyncio.sleep(self._policy.confirm_seconds)
        for name in orphans:
            if not await self._owners.need(name):
                await self._remove(name)

    async def _remove(self, name: BlobName) -> None:
        await self._blobs.delete(name.key)
        SWEPT_BLOBS.labels(name.kind.value).inc()
        log.warning("blob_without_record_removed", tenant=name.tenant, owner=name.owner_id, kind=name.kind.value)

    def _report(self, parts: Sequence[StoredPart]) -> None:
        SWEPT_PARTS.inc(len(parts))
        if parts and self._blobs.lists_oldest_first:
            SWEEP_LAG_SECONDS.set(max(0.0, time.time() - parts[-1].stored_at - self._policy.orphan_seconds))

    async def _may_sweep(self, store_id: str) -> bool:
        note = "it is not swept: see docs/operations.md"
        try:
            if await self.belongs_to(store_id):
                return True
            log.error("blob_store_of_others", key=STORE_ID_KEY, note=note)
        except PartMissing as error:
            log.error("blob_store_unidentified", reason=str(error), note=note)  # noqa: TRY400 - a line says it all
        return False

    async def belongs_to(self, store_id: str) -> bool:
        """Whether the store belongs to these records. A store without an id gets theirs."""
        try:
            await self._blobs.put_part_expecting(STORE_ID_KEY, 0, store_id.encode(), revision=NOTHING)
        except PartConflict:
            return await self._blobs.get_part(STORE_ID_KEY, 0) == store_id.encode()
        return True
