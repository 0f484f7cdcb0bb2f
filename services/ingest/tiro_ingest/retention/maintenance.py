"""The maintenance of a deployment by one ingest service at a time: checks of records, and sweeps of the blob store."""

import asyncio

from tiro.events.v1.maintenance_pb2 import MaintenanceRecord
from tiro_core.ids import new_id
from tiro_core.leases.claims import Claimed, Deferred, Refusal, claim_record
from tiro_core.leases.owned_record import OwnedRecord, OwnershipLost
from tiro_core.leases.shielding import with_deadline
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict, MessagingError
from tiro_core.messaging.records import RecordStore
from tiro_core.server.background import keep_running
from tiro_ingest.metrics import MAINTAINING
from tiro_ingest.retention.blob_sweeper import BlobSweeper
from tiro_ingest.retention.progress import Progress
from tiro_ingest.retention.record_checks import CheckRunner

KEY = "maintenance"
LEASE_SECONDS = 15.0
"""How long the service that maintains the deployment may be silent before another one takes over."""
RENEWAL_SECONDS = 5.0
"""How often it renews its lease, and saves its positions."""
CREATE_RETRY_SECONDS = 1.0
"""The wait after another service was faster to create the record."""
RELEASE_SECONDS_MAX = 2.0
"""How long a service that stops may take to release its lease."""

log = get_logger()

Owned = OwnedRecord[MaintenanceRecord]


class Maintenance:
    """Maintains the deployment while no other ingest service does."""

    def __init__(self, bus: Bus, checks: CheckRunner, sweeper: BlobSweeper) -> None:
        self._bus = bus
        self._records = RecordStore(bus, topology.MAINTENANCE_BUCKET, MaintenanceRecord)
        self._checks = checks
        self._sweeper = sweeper
        self._id = f"ingest-{new_id()}"

    async def run(self) -> None:
        """Maintain the deployment while this service holds the lease, until cancelled."""
        while True:
            outcome = await claim_record(
                self._bus, self._records, KEY, self, worker_id=self._id, lease_seconds=LEASE_SECONDS
            )
            match outcome:
                case Claimed(owned):
                    await self._maintain(owned)
                case Deferred(retry_in):
                    await asyncio.sleep(retry_in.total_seconds())
                case _:
                    await self._create()

    def refusal(self, record: MaintenanceRecord) -> Refusal[MaintenanceRecord] | None:  # noqa: ARG002 - any record will do
        """Refuse no service."""
        return None

    def begin(self, record: MaintenanceRecord) -> bool:
        """Change the record for its new owner. The first service of a deployment sets the id of the blob store."""
        record.store_id = record.store_id or new_id()
        return True

    async def _create(self) -> None:
        try:
            await self._records.create(KEY, MaintenanceRecord(), over_marker=True)
        except Conflict:  # another service has created it
            await asyncio.sleep(CREATE_RETRY_SECONDS)

    async def _maintain(self, owned: Owned) -> None:
        progress = Progress(owned.value)
        log.info("maintenance_begun", epoch=owned.epoch)
        MAINTAINING.set(1)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_hold(owned, progress), name="maintenance-lease")
                checks = keep_running("RecordChecks", lambda: self._checks.run(progress))
                tasks.create_task(checks, name="record-checks")
                sweep = keep_running("BlobSweeper", lambda: self._sweeper.run(progress, owned.value.store_id))
                tasks.create_task(sweep, name="blob-sweeper")
        except* (OwnershipLost, MessagingError) as lost:
            log.warning("maintenance_lost", reason=repr(lost.exceptions[0]))
        finally:
            MAINTAINING.set(0)
            await with_deadline(RELEASE_SECONDS_MAX, _release(owned, progress))


async def _hold(owned: Owned, progress: Progress) -> None:
    while True:
        await asyncio.sleep(RENEWAL_SECONDS)
        await owned.renew(progress.save_in)


async def _release(owned: Owned, progress: Progress) -> None:
    def release(record: MaintenanceRecord) -> None:
        progress.save_in(record)
        record.ClearField("lease")

    await owned.update(release)
