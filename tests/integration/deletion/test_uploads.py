"""An upload is deleted at every moment of being written, and written at every moment of being deleted."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.deletion.conftest import (
    RECORDING_PARTS,
    STEPS_MAX,
    Ingest,
    NewTenant,
    Stage,
    ended,
    leftovers,
)
from tests.support.interleaving import Steps
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1.upload_service_pb2 import WriteUploadRequest
from tiro_core.blobs.interface import PART_BYTES
from tiro_core.blobs.keys import upload_key
from tiro_core.blobs.reader import read_parts
from tiro_core.ids import new_id
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.monitoring.account import AccountMonitor
from tiro_core.messaging.monitoring.monitor import ServerMonitor
from tiro_core.messaging.records import RecordStore
from tiro_core.messaging.subjects import record as record_key
from tiro_ingest.uploads.receiver import UploadReceiver
from tiro_ingest.uploads.storage_guard import StorageGuard

SAMPLE = 5
"""Of the pairs of moments at which a writer is interrupted and dies, `make test` tries one in so many."""
MESSAGE_BYTES = PART_BYTES // 2


class Scene:
    """An upload, a service that writes it and is interrupted, and one that deletes it."""

    def __init__(self, stage: Stage, recording: bytes) -> None:
        self._stage = stage
        self._recording = recording
        self.other = stage.other
        self.tenant = self.upload = ""

    async def begin(self, tenant: str) -> None:
        """Create an upload of a tenant of its own."""
        self.tenant, self.upload = tenant, new_id()
        await self.other.uploads.create(tenant, self.upload, display_name="", size_bytes=0)

    async def delete(self) -> None:
        """Delete the upload, as its caller does."""
        await self.other.remover.remove_upload(self.tenant, self.upload)

    async def write(self, steps: Steps, *, finish: bool = True) -> BaseException | None:
        """Write the upload. Returns how that failed."""
        async with self._stage.interrupted(steps) as ingest:
            return await self.write_with(ingest, finish=finish)

    async def write_with(self, ingest: Ingest, *, finish: bool = True) -> BaseException | None:
        """The same by any service."""
        monitor = ServerMonitor(self._stage.settings.nats_monitor_url)
        guard = StorageGuard(monitor, AccountMonitor(ingest.bus, 1), 0, replicas=1, holds_blobs=True)
        receiver = UploadReceiver(ingest.uploads, ingest.intake, guard, asyncio.Event(), idle_seconds=30)
        return await ended(receiver.receive(self.tenant, self._messages(finish=finish)))

    async def delete_interrupted(self, steps: Steps) -> BaseException | None:
        """Delete the upload over a connection that is interrupted. Returns how that failed."""
        async with self._stage.interrupted(steps) as ingest:
            return await ended(ingest.remover.remove_upload(self.tenant, self.upload))

    async def is_visible(self) -> bool:
        """Whether callers find the upload."""
        stored = await RecordStore(self.other.bus, topology.UPLOADS_BUCKET, UploadRecord).get(
            record_key(self.tenant, self.upload)
        )
        return stored is not None and not stored.value.removing

    async def _messages(self, *, finish: bool) -> AsyncIterator[WriteUploadRequest]:
        last = range(0, len(self._recording), MESSAGE_BYTES)[-1]
        for at in range(0, len(self._recording), MESSAGE_BYTES):
            data = self._recording[at : at + MESSAGE_BYTES]
            yield WriteUploadRequest(
                name="" if at else f"uploads/{self.upload}", data=data, finish_write=finish and at == last
            )


@pytest.fixture
def scene(stage: Stage, recording: bytes) -> Scene:
    """The scene of these tests."""
    return Scene(stage, recording)


@pytest.mark.parametrize("finish", [True, False])
async def test_deleted_at_every_step_of_being_written(
    scene: Scene, bus: Bus, new_tenant: NewTenant, finish: bool
) -> None:
    """Once writer and remover have ended nothing is left, without any sweep. Also of a call that does not finish it."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=scene.delete)
        failure = await scene.write(steps, finish=finish)
        if not steps.has_interrupted:
            assert failure is None
            break
        assert not await leftovers(bus, scene.tenant), f"deleted at step {number}: {failure!r}"
    assert number > 2 * RECORDING_PARTS


async def test_written_at_every_step_of_being_deleted(scene: Scene, bus: Bus, new_tenant: NewTenant) -> None:
    """A call that comes while the deletion is under way is refused, or what it writes goes as well."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=lambda: scene.write_with(scene.other))
        failure = await scene.delete_interrupted(steps)
        assert failure is None
        if not steps.has_interrupted:
            break
        assert not await leftovers(bus, scene.tenant), f"written at step {number}"


async def test_deleted_at_every_step_of_being_deleted(scene: Scene, bus: Bus, new_tenant: NewTenant) -> None:
    """Two deletions at once do what one does."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        assert await scene.write(Steps()) is None
        steps = Steps(interrupt_at=number, interruption=lambda: ended(scene.delete()))
        await scene.delete_interrupted(steps)
        if not steps.has_interrupted:
            break
        assert not await leftovers(bus, scene.tenant), f"deleted again at step {number}"


async def test_a_deletion_that_dies_at_any_step_is_finished(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant
) -> None:
    """By the maintenance, once the upload is hidden. Before, nothing has happened to it."""
    finished = 0
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        assert await scene.write(Steps()) is None
        steps = Steps(die_at=number)
        await scene.delete_interrupted(steps)
        await stage.maintainer.maintain(scene.tenant)
        if await scene.is_visible():
            assert not finished, "a deletion that had begun was forgotten"
        else:
            finished += 1
            assert not await leftovers(bus, scene.tenant), f"died at step {number}"
        if not steps.has_died:
            break
    assert finished > number / 2


async def test_a_writer_that_dies_at_any_step_leaves_nothing_behind_a_deletion(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant
) -> None:
    """The upload is deleted after the death of its writer."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(die_at=number)
        await scene.write(steps)
        await scene.delete()
        await stage.maintainer.maintain(scene.tenant)
        assert not await leftovers(bus, scene.tenant), f"died at step {number}"
        if not steps.has_died:
            break


@pytest.mark.parametrize("share", [SAMPLE, pytest.param(1, marks=pytest.mark.long)])
async def test_deleted_at_any_step_before_a_writer_dies_at_any_other(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant, share: int
) -> None:
    """What it stored in between, behind the deletion, has no record any more: the sweeper finds it."""
    swept = deaths = 0
    steps = Steps()
    for interrupted_at in range(STEPS_MAX):
        first = interrupted_at + 1 + interrupted_at % share
        for died_at in range(first, STEPS_MAX, share):
            await scene.begin(new_tenant())
            steps = Steps(interrupt_at=interrupted_at, interruption=scene.delete, die_at=died_at)
            await scene.write(steps)
            if not steps.has_died:
                break
            deaths += 1
            swept += bool((await leftovers(bus, scene.tenant)).blobs)
            await stage.maintainer.maintain(scene.tenant)
            left = await leftovers(bus, scene.tenant)
            assert not left, f"deleted at step {interrupted_at}, died at step {died_at}: {left}"
        if not steps.has_interrupted:
            break
    assert swept, "no death left anything: the sweeper was not tried"
    assert deaths > swept


async def test_an_upload_that_is_written_is_never_removed(
    scene: Scene, stage: Stage, new_tenant: NewTenant, recording: bytes
) -> None:
    """However slow its writer is: the maintenance, for which everything is old enough, runs at every step of it."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=lambda: stage.maintainer.maintain(scene.tenant))
        assert await scene.write(steps) is None
        upload = await scene.other.uploads.get(scene.tenant, scene.upload)
        parts = read_parts(scene.other.blobs, upload_key(scene.tenant, scene.upload), upload.committed_size)
        assert b"".join([part async for part in parts]) == recording, f"swept at step {number}"
        if not steps.has_interrupted:
            break
