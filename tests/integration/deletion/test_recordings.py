"""Deletions of a live session's recording at every step of its storing."""

import asyncio

import pytest

from tests.integration.deletion.conftest import STEPS_MAX, NewTenant, Stage, ended, leftovers
from tests.support.interleaving import Steps
from tiro.events.v1.live_pb2 import LiveInput, SessionRecord
from tiro_core.blobs.keys import upload_key
from tiro_core.blobs.reader import read_parts
from tiro_core.ids import new_id
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import purge
from tiro_core.messaging.publishing import publish
from tiro_core.messaging.records import RecordStore
from tiro_transcriber.sessions.recording import store_recording

RATE_HZ = 16_000
SECONDS = 40
"""Length of the recording: three parts of audio."""


class Scene:
    """A live session, an owner that is interrupted while it stores the recording, and another one that is not."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._sessions = RecordStore(stage.bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
        self.session = SessionRecord()
        self.storing: asyncio.Task[BaseException | None] | None = None

    async def begin(self, tenant: str) -> None:
        """Create a session whose audio has ended."""
        self.session = SessionRecord(
            tenant=tenant,
            session_id=new_id(),
            state=SessionRecord.STATE_ACTIVE,
            epoch=1,
            sample_rate_hertz=RATE_HZ,
            keep_recording=True,
        )
        await self._sessions.create(self._key, self.session)
        subject = subjects.live_audio(tenant, self.session.session_id)
        for second in range(SECONDS):
            message = LiveInput(first_sample=second * RATE_HZ, pcm16=bytes([second]) * 2 * RATE_HZ)
            await publish(self._stage.bus, subject, message.SerializeToString())

    async def store(self, steps: Steps) -> BaseException | None:
        """Store the recording. Return the exception, if any."""
        async with self._stage.interrupted(steps) as ingest:
            return await ended(store_recording(ingest.bus, ingest.blobs, self.session, SECONDS * RATE_HZ))

    async def store_as_next_owner(self) -> None:
        """Store the recording as the next owner, and end the session."""
        await store_recording(self._stage.bus, self._stage.other.blobs, self.session, SECONDS * RATE_HZ)
        await self.end()

    async def end(self) -> None:
        """End the session."""

        def end(record: SessionRecord) -> None:
            record.state = SessionRecord.STATE_ENDED

        await self._sessions.mutate(self._key, end)

    async def delete(self) -> None:
        """Store the recording as the next owner, end the session, and delete the recording as its caller."""
        await self.store_as_next_owner()
        await self._stage.other.remover.remove_upload(self.session.tenant, self.session.session_id)

    async def delete_and_lose(self) -> None:
        """As `delete`. Then remove the live audio, and cancel the first owner, as when it loses the session."""
        await self.delete()
        subject = subjects.live_audio(self.session.tenant, self.session.session_id)
        await purge(self._stage.bus, topology.LIVE_AUDIO, subject)
        assert self.storing is not None
        self.storing.cancel()

    @property
    def _key(self) -> str:
        return subjects.record(self.session.tenant, self.session.session_id)


@pytest.fixture
def scene(stage: Stage) -> Scene:
    """The scene of these tests."""
    return Scene(stage)


async def test_a_deletion_at_every_step_of_storing(scene: Scene, bus: Bus, new_tenant: NewTenant) -> None:
    """A replaced owner that still stores a deleted recording creates no upload, and removes its parts."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=scene.delete)
        assert await scene.store(steps) is None
        if not steps.has_interrupted:
            break
        left = await leftovers(bus, scene.session.tenant)
        assert not left, f"deleted at step {number}: {left}"


async def test_a_cancelled_owner_of_a_deleted_recording_leaves_nothing(
    scene: Scene, bus: Bus, new_tenant: NewTenant
) -> None:
    """An owner that was replaced and is cancelled, at any step, removes the parts of a deleted recording."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=scene.delete_and_lose)
        scene.storing = asyncio.create_task(scene.store(steps))
        await asyncio.wait((scene.storing,))
        if not steps.has_interrupted:
            assert scene.storing.result() is None
            break
        left = await leftovers(bus, scene.session.tenant)
        assert not left, f"deleted at step {number}: {left}"


async def test_maintenance_removes_parts_of_an_owner_that_died(
    scene: Scene, stage: Stage, new_tenant: NewTenant
) -> None:
    """Parts stay while another owner may claim the session. They are removed if it ends without a recording."""
    swept = 0
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(die_at=number)
        await scene.store(steps)
        if not steps.has_died:
            break
        before = await leftovers(stage.bus, scene.session.tenant)
        await stage.maintainer.maintain(scene.session.tenant)
        assert (await leftovers(stage.bus, scene.session.tenant)).blobs == before.blobs
        if before.records:  # the upload exists
            continue
        await scene.end()
        swept += bool(before.blobs)
        await stage.maintainer.maintain(scene.session.tenant)
        assert not await leftovers(stage.bus, scene.session.tenant), f"died at step {number}"
    assert swept


async def test_maintenance_does_not_remove_a_recording_that_is_stored(
    scene: Scene, stage: Stage, new_tenant: NewTenant
) -> None:
    """Maintenance without minimum ages may run at any step of storing."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=lambda: stage.maintainer.maintain(scene.session.tenant))
        assert await scene.store(steps) is None
        await scene.end()
        await stage.maintainer.maintain(scene.session.tenant)
        tenant, upload_id = scene.session.tenant, scene.session.session_id
        upload = await stage.other.uploads.get(tenant, upload_id)
        assert upload.HasField("expire_time")
        parts = read_parts(stage.other.blobs, upload_key(tenant, upload_id), upload.committed_size)
        assert sum([len(part) async for part in parts]) == upload.committed_size, f"swept at step {number}"
        if not steps.has_interrupted:
            break
