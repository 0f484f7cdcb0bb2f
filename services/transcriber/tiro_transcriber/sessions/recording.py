"""A live session's audio as an upload, so that a job can transcribe it again in full quality.

The upload has the session's id: a worker that takes over in the middle of the copying writes the same parts again.
"""

import hashlib
import io
import wave

from tiro.events.v1.live_pb2 import LiveInput, SessionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1.audio_pb2 import AudioInfo
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.audio.pcm import SAMPLE_BYTES
from tiro_core.blobs.interface import PART_BYTES, BlobStore
from tiro_core.blobs.keys import upload_key
from tiro_core.bus import subjects, topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.records import RecordStore
from tiro_core.bus.tail import Tail
from tiro_core.clock import duration_of, now


async def keep_recording(bus: Bus, blobs: BlobStore, session: SessionRecord, samples: int) -> str:
    """Copy the audio line into an upload, part by part.

    Args:
        bus: Where the line and the upload's record are.
        blobs: Where the upload's bytes go.
        session: Whose line it is.
        samples: How many samples of it.

    Returns:
        The upload's id.
    """
    parts = _Parts(blobs, upload_key(session.tenant, session.session_id))
    await parts.write(_wav_header(session.sample_rate_hertz, samples))
    missing = samples * SAMPLE_BYTES
    subject = subjects.live_audio(session.tenant, session.session_id)
    async with Tail(bus, topology.LIVE_AUDIO, subject) as line:
        async for entry in line:
            if entry is not None:
                data = LiveInput.FromString(entry.data).pcm16[:missing]
                missing -= len(data)
                await parts.write(data)
            if not missing:
                break
    await parts.finish()
    uploads = RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord)
    await uploads.put(subjects.record(session.tenant, session.session_id), _record(session, samples, parts))
    return session.session_id


class _Parts:
    """Cuts what is written into parts and stores each as it fills."""

    def __init__(self, blobs: BlobStore, key: str) -> None:
        self._blobs = blobs
        self._key = key
        self._filling = bytearray()
        self._count = 0
        self.digest = hashlib.sha256()
        self.size = 0

    async def write(self, data: bytes) -> None:
        self.digest.update(data)
        self.size += len(data)
        self._filling += data
        while len(self._filling) >= PART_BYTES:
            await self._store(bytes(self._filling[:PART_BYTES]))
            del self._filling[:PART_BYTES]

    async def finish(self) -> None:
        if self._filling:
            await self._store(bytes(self._filling))

    async def _store(self, part: bytes) -> None:
        await self._blobs.put_part(self._key, self._count, part)
        self._count += 1


def _wav_header(rate_hz: int, samples: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(SAMPLE_BYTES)
        target.setframerate(rate_hz)
        target.setnframes(samples)
        target.writeframesraw(b"")
        return file.getvalue()


def _record(session: SessionRecord, samples: int, parts: _Parts) -> UploadRecord:
    return UploadRecord(
        tenant=session.tenant,
        upload_id=session.session_id,
        display_name=f"live session {session.session_id}",
        size_bytes=parts.size,
        committed_size=parts.size,
        part_size=PART_BYTES,
        state=Upload.STATE_READY,
        sha256=parts.digest.hexdigest(),
        audio=AudioInfo(
            container="wav",
            codec="pcm_s16le",
            sample_rate_hertz=session.sample_rate_hertz,
            channel_count=1,
            duration=duration_of(samples, session.sample_rate_hertz),
        ),
        create_time=now(),
    )
