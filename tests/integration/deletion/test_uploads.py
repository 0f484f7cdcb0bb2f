"""Deletions of an upload at every step of a write, and writes at every step of a deletion."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.deletion.conftest import (
    EVERY_STEP,
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
"""`make test` tries every fifth of the pairs of steps at which a write is interrupted and its process dies."""
MESSAGE_BYTES = PART_BYTES // 2


class Scene:
    """An upload, a service whose write is interrupted, and one that deletes the upload."""

    def __init__(self, stage: Stage, recording: bytes) -> None:
        self._stage = stage
        self._recording = recording
        self.other = stage.other
        self.tenant = self.upload = ""

    async def begin(self, tenant: str) -> None:
        """Create an upload of a new tenant."""
        self.tenant, self.upload = tenant, new_id()
        await self.other.uploads.create(tenant, self.upload, display_name="", size_bytes=0)

    async def delete(self) -> None:
        """Delete the upload, as its caller does."""
        await self.other.remover.remove_upload(self.tenant, self.upload)

    async def write(self, steps: Steps, *, finish: bool = True) -> BaseException | None:
        """Write the upload. Return the exception, if any."""
        async with self._stage.interrupted(steps) as ingest:
            return await self.write_with(ingest, finish=finish)

    async def write_with(self, ingest: Ingest, *, finish: bool = True) -> BaseException | None:
        """Write the upload by a service. Return the exception, if any."""
        monitor = ServerMonitor(self._stage.settings.nats_monitor_url)
        guard = StorageGuard(monitor, AccountMonitor(ingest.bus, 1), 0, replicas=1, holds_blobs=True)
        receiver = UploadReceiver(ingest.uploads, ingest.intake, guard, asyncio.Event(), idle_seconds=30)
        return await ended(receiver.receive(self.tenant, self._messages(finish=finish)))

    async def delete_interrupted(self, steps: Steps) -> BaseException | None:
        """Delete the upload in a service that is interrupted. Return the exception, if any."""
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
async def test_a_deletion_at_every_step_of_a_write(scene: Scene, bus: Bus, new_tenant: NewTenant, finish: bool) -> None:
    """After a deletion during a write nothing is left, without a sweep, whether or not the write is the last one."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=scene.delete)
        failure = await scene.write(steps, finish=finish)
        if not steps.has_interrupted:
            assert failure is None
            break
        assert not await leftovers(bus, scene.tenant), f"deleted at step {number}: {failure!r}"
    assert number > 2 * RECORDING_PARTS


async def test_a_write_at_every_step_of_a_deletion(scene: Scene, bus: Bus, new_tenant: NewTenant) -> None:
    """A write during a deletion is refused, or its data is removed."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=lambda: scene.write_with(scene.other))
        failure = await scene.delete_interrupted(steps)
        assert failure is None
        if not steps.has_interrupted:
            break
        assert not await leftovers(bus, scene.tenant), f"written at step {number}"


async def test_a_deletion_at_every_step_of_another_deletion(scene: Scene, bus: Bus, new_tenant: NewTenant) -> None:
    """Two concurrent deletions leave nothing."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        assert await scene.write(Steps()) is None
        steps = Steps(interrupt_at=number, interruption=lambda: ended(scene.delete()))
        await scene.delete_interrupted(steps)
        if not steps.has_interrupted:
            break
        assert not await leftovers(bus, scene.tenant), f"deleted again at step {number}"


async def test_maintenance_finishes_a_deletion_whose_process_died(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant
) -> None:
    """A deletion is finished if the upload was hidden. Before that the upload is unchanged."""
    finished = 0
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        assert await scene.write(Steps()) is None
        steps = Steps(die_at=number)
        await scene.delete_interrupted(steps)
        await stage.maintainer.maintain(scene.tenant)
        if await scene.is_visible():
            assert not finished, "a deletion that had begun was not finished"
        else:
            finished += 1
            assert not await leftovers(bus, scene.tenant), f"died at step {number}"
        if not steps.has_died:
            break
    assert finished > number / 2


async def test_a_deletion_after_the_death_of_a_writer(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant
) -> None:
    """A deletion after the death of a writer, at any step, leaves nothing."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(die_at=number)
        await scene.write(steps)
        await scene.delete()
        await stage.maintainer.maintain(scene.tenant)
        assert not await leftovers(bus, scene.tenant), f"died at step {number}"
        if not steps.has_died:
            break


@pytest.mark.parametrize("share", [SAMPLE, pytest.param(1, marks=EVERY_STEP)])
async def test_a_deletion_before_the_death_of_a_writer(
    scene: Scene, stage: Stage, bus: Bus, new_tenant: NewTenant, share: int
) -> None:
    """The sweeper removes parts that a writer stored after the deletion and before its death."""
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
    assert swept, "no death left a part: the sweeper was not tested"
    assert deaths > swept


async def test_maintenance_does_not_remove_an_upload_that_is_written(
    scene: Scene, stage: Stage, new_tenant: NewTenant, recording: bytes
) -> None:
    """Maintenance without minimum ages may run at any step of a write."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=lambda: stage.maintainer.maintain(scene.tenant))
        assert await scene.write(steps) is None
        upload = await scene.other.uploads.get(scene.tenant, scene.upload)
        parts = read_parts(scene.other.blobs, upload_key(scene.tenant, scene.upload), upload.committed_size)
        assert b"".join([part async for part in parts]) == recording, f"swept at step {number}"
        if not steps.has_interrupted:
            break
