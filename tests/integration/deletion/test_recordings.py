"""The recording of a live session is deleted at every moment of being kept."""

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
"""Three parts of audio."""


class Scene:
    """A live session, an owner that keeps its recording and is interrupted, and another one that is not."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._sessions = RecordStore(stage.bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
        self.session = SessionRecord()
        self.keeping: asyncio.Task[BaseException | None] | None = None

    async def begin(self, tenant: str) -> None:
        """A session whose audio has come to its end."""
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

    async def keep(self, steps: Steps) -> BaseException | None:
        """Keep the recording. Returns how that failed."""
        async with self._stage.interrupted(steps) as ingest:
            return await ended(store_recording(ingest.bus, ingest.blobs, self.session, SECONDS * RATE_HZ))

    async def keep_elsewhere(self) -> None:
        """Keep the recording as the next owner, and end the session."""
        await store_recording(self._stage.bus, self._stage.other.blobs, self.session, SECONDS * RATE_HZ)
        await self.end()

    async def end(self) -> None:
        """End the session."""

        def end(record: SessionRecord) -> None:
            record.state = SessionRecord.STATE_ENDED

        await self._sessions.mutate(self._key, end)

    async def delete(self) -> None:
        """The next owner has kept the recording and ended the session, and its caller deletes the recording."""
        await self.keep_elsewhere()
        await self._stage.other.remover.remove_upload(self.session.tenant, self.session.session_id)

    async def delete_and_lose(self) -> None:
        """The same; the audio goes, and the first owner notices that the session is another's."""
        await self.delete()
        subject = subjects.live_audio(self.session.tenant, self.session.session_id)
        await purge(self._stage.bus, topology.LIVE_AUDIO, subject)
        assert self.keeping is not None
        self.keeping.cancel()

    @property
    def _key(self) -> str:
        return subjects.record(self.session.tenant, self.session.session_id)


@pytest.fixture
def scene(stage: Stage) -> Scene:
    """The scene of these tests."""
    return Scene(stage)


async def test_deleted_at_every_step_of_being_kept(scene: Scene, bus: Bus, new_tenant: NewTenant) -> None:
    """By an owner that does not know yet that it was replaced: it writes no upload anew, and its parts go."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=scene.delete)
        assert await scene.keep(steps) is None
        if not steps.has_interrupted:
            break
        left = await leftovers(bus, scene.session.tenant)
        assert not left, f"deleted at step {number}: {left}"


async def test_an_owner_that_was_replaced_cleans_up_behind_a_deletion(
    scene: Scene, bus: Bus, new_tenant: NewTenant
) -> None:
    """It is cancelled, at every step."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=scene.delete_and_lose)
        scene.keeping = asyncio.create_task(scene.keep(steps))
        await asyncio.wait((scene.keeping,))
        if not steps.has_interrupted:
            assert scene.keeping.result() is None
            break
        left = await leftovers(bus, scene.session.tenant)
        assert not left, f"deleted at step {number}: {left}"


async def test_an_owner_that_dies_at_any_step_leaves_nothing_behind(
    scene: Scene, stage: Stage, new_tenant: NewTenant
) -> None:
    """Its parts stay as long as a next owner may come, and go when the session ends without its recording."""
    swept = 0
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(die_at=number)
        await scene.keep(steps)
        if not steps.has_died:
            break
        before = await leftovers(stage.bus, scene.session.tenant)
        await stage.maintainer.maintain(scene.session.tenant)
        assert (await leftovers(stage.bus, scene.session.tenant)).blobs == before.blobs
        if before.records:  # the upload is there
            continue
        await scene.end()
        swept += bool(before.blobs)
        await stage.maintainer.maintain(scene.session.tenant)
        assert not await leftovers(stage.bus, scene.session.tenant), f"died at step {number}"
    assert swept


async def test_a_recording_that_is_kept_is_never_removed(scene: Scene, stage: Stage, new_tenant: NewTenant) -> None:
    """However slow its owner is: the maintenance, for which everything is old enough, runs at every step."""
    for number in range(STEPS_MAX):
        await scene.begin(new_tenant())
        steps = Steps(interrupt_at=number, interruption=lambda: stage.maintainer.maintain(scene.session.tenant))
        assert await scene.keep(steps) is None
        await scene.end()
        await stage.maintainer.maintain(scene.session.tenant)
        tenant, upload_id = scene.session.tenant, scene.session.session_id
        upload = await stage.other.uploads.get(tenant, upload_id)
        assert upload.HasField("expire_time")
        parts = read_parts(stage.other.blobs, upload_key(tenant, upload_id), upload.committed_size)
        assert sum([len(part) async for part in parts]) == upload.committed_size, f"swept at step {number}"
        if not steps.has_interrupted:
            break
