"""The recording of a live session whose audio log is not as its worker has read it."""

import io
import wave

import pytest
from structlog.testing import capture_logs

from tiro.events.v1.live_pb2 import LiveInput, SessionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.blobs.keys import upload_key
from tiro_core.blobs.reader import read_parts
from tiro_core.ids import new_id
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import BusUnavailable
from tiro_core.messaging.operations import purge
from tiro_core.messaging.publishing import publish
from tiro_core.messaging.records import RecordStore
from tiro_transcriber.sessions import stored_log
from tiro_transcriber.sessions.recording import AudioKeeper

RATE_HZ = 16_000
FAILURES_MAX = 4


def audio(*seconds: int) -> bytes:
    """These seconds of a session's audio, each unlike the others."""
    return b"".join(bytes([second + 1]) * 2 * RATE_HZ for second in seconds)


class Scene:
    """A session whose audio has ended."""

    def __init__(self, bus: Bus, tenant: str) -> None:
        self.bus = bus
        self.blobs = JetStreamBlobStore(bus)
        self.session = SessionRecord(
            tenant=tenant, session_id=new_id(), sample_rate_hertz=RATE_HZ, keep_recording=True, epoch=1
        )
        self.subject = subjects.live_audio(tenant, self.session.session_id)

    async def store(self, *seconds: int) -> None:
        """Put these seconds of audio on the log."""
        for second in seconds:
            message = LiveInput(first_sample=second * RATE_HZ, pcm16=audio(second))
            await publish(self.bus, self.subject, message.SerializeToString())

    async def keep(self, samples: int) -> str:
        """Keep the recording of a session with this number of samples."""
        return await AudioKeeper(self.bus, self.blobs, failures_max=FAILURES_MAX).keep(
            self.session, samples, is_whole=True
        )

    async def recording(self) -> bytes:
        """The samples of the recording, whose header has their number."""
        tenant, upload_id = self.session.tenant, self.session.session_id
        uploads = RecordStore(self.bus, topology.UPLOADS_BUCKET, UploadRecord)
        upload = await uploads.get(subjects.record(tenant, upload_id))
        assert upload is not None
        parts = read_parts(self.blobs, upload_key(tenant, upload_id), upload.value.committed_size)
        data = b"".join([bytes(part) async for part in parts])
        with wave.open(io.BytesIO(data)) as file:
            samples: bytes = file.readframes(file.getnframes())
            assert file.getnframes() == len(samples) // 2
        assert upload.value.audio.duration.ToTimedelta().total_seconds() == len(samples) / 2 / RATE_HZ
        return samples


@pytest.fixture
def scene(bus: Bus, tenant: str) -> Scene:
    """The scene of these tests."""
    return Scene(bus, tenant)


async def test_a_log_whose_end_is_lost(scene: Scene) -> None:
    """The recording has the audio that is stored, and a log line has the number of missing samples."""
    await scene.store(0, 1)
    with capture_logs() as logs:
        assert await scene.keep(2 * RATE_HZ + 1) == scene.session.session_id
    assert [(line["event"], line["missing"]) for line in logs] == [("recording_cut_short", 1)]
    assert await scene.recording() == audio(0, 1)


@pytest.mark.parametrize("seconds", [(), (1, 2), (0, 2)], ids=["all", "the beginning", "the middle"])
async def test_a_log_that_has_lost_more(scene: Scene, seconds: tuple[int, ...]) -> None:
    """A recording with a gap is not kept: the session ends without one."""
    await scene.store(*seconds)
    with capture_logs() as logs:
        assert await scene.keep(3 * RATE_HZ) == ""
    assert [line["event"] for line in logs] == ["recording_not_kept"]


async def test_a_message_that_was_stored_twice(scene: Scene) -> None:
    """As around a change of the stream's leader: its audio is in the recording once."""
    await scene.store(0, 1, 1, 2)
    await scene.keep(3 * RATE_HZ)
    assert await scene.recording() == audio(0, 1, 2)


async def test_a_log_that_goes_while_it_is_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader whose next message was deleted gives up within a limit, rather than hold its slot."""
    monkeypatch.setattr(stored_log, "NEXT_SECONDS_MAX", 0.5)
    await scene.store(*range(3))
    newest = stored_log.newest_message

    async def purging(bus: Bus, stream: str, subject: str) -> object:
        found = await newest(bus, stream, subject)
        await purge(bus, topology.LIVE_AUDIO, scene.subject)
        return found

    monkeypatch.setattr("tiro_transcriber.sessions.recording.newest_message", purging)
    with pytest.raises(BusUnavailable):
        await scene.keep(3 * RATE_HZ)
    await scene.store(*range(3))
    scene.session.failure_count = FAILURES_MAX
    assert await scene.keep(3 * RATE_HZ) == ""
