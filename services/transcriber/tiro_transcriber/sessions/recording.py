"""Storing a live session's audio as an upload, so that a job can transcribe it again.

The upload has the session's id: a worker that takes over during the copying writes the same parts again.
"""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tiro.events.v1.live_pb2 import LiveInput, SessionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1.audio_pb2 import AudioInfo
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.audio.pcm import SAMPLE_BYTES
from tiro_core.audio.wav import wav_header
from tiro_core.blobs.interface import PART_BYTES, BlobStore, StorageUnavailable
from tiro_core.blobs.keys import upload_key
from tiro_core.blobs.settling import settled
from tiro_core.blobs.writer import BlobWriter
from tiro_core.clock import duration_of, now
from tiro_core.leases.shielding import with_deadline
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import BusUnavailable, Conflict, MessagingError
from tiro_core.messaging.records import RecordStore
from tiro_transcriber.sessions.input import AudioLogGap
from tiro_transcriber.sessions.shadow import start_shadow
from tiro_transcriber.sessions.stored_log import newest_message, stored_messages

CLEAN_UP_SECONDS_MAX = 2.0
"""How long the deletion of an unneeded copy may take. Otherwise it is left to the sweeper."""

log = get_logger()


class AudioKeeper:
    """Keeps the audio of sessions that are over, if the client wants it or a shadow needs it."""

    def __init__(self, bus: Bus, blobs: BlobStore, *, failures_max: int) -> None:
        """`failures_max`: after this number of failures a session ends even if its audio cannot be kept."""
        self._bus = bus
        self._blobs = blobs
        self._failures_max = failures_max

    async def keep(self, record: SessionRecord, samples: int, *, is_whole: bool) -> str:
        """Keep the audio of a session if it is wanted, and create its shadow.

        Args:
            record: The session.
            samples: The number of its samples.
            is_whole: Whether one engine has processed the session from beginning to end, without a fault. Otherwise it
                is not compared with a shadow.

        Returns:
            The id of the upload that the client asked for. Empty: it did not ask, or the audio log has a gap.

        Raises:
            StorageUnavailable, BusUnavailable: The audio cannot be kept now, and the client wants it.
        """
        is_shadowed = record.HasField("shadow") and is_whole
        if not (record.keep_recording or is_shadowed):
            return ""
        upload_id = await self._store(record, samples)
        if upload_id and is_shadowed:
            try:
                await start_shadow(self._bus, record, upload_id, samples)
            except MessagingError as error:  # the session does not depend on its shadow
                log.warning("shadow_not_begun", reason=repr(error))
        return upload_id if record.keep_recording else ""

    async def _store(self, record: SessionRecord, samples: int) -> str:
        try:
            return await store_recording(self._bus, self._blobs, record, samples)
        except AudioLogGap as gap:  # no other worker has more of it
            log.error("recording_not_kept", reason=str(gap))  # noqa: TRY400 - a line says it all
        except (StorageUnavailable, BusUnavailable) as error:
            if record.keep_recording and record.failure_count < self._failures_max:
                raise
            log.error("recording_not_kept", reason=str(error))  # noqa: TRY400 - a line says it all
        return ""


async def store_recording(bus: Bus, blobs: BlobStore, session: SessionRecord, samples: int) -> str:
    """Copy the audio log into an upload, part by part.

    Args:
        bus: The connection.
        blobs: The store of the upload's bytes.
        session: The session of the log.
        samples: The number of its samples. The upload has fewer where the log's end is lost.

    Returns:
        The upload's id. Empty: an owner before has stored it, and it was deleted since.

    Raises:
        AudioLogGap: The log has lost more than its end.
        StorageUnavailable: The upload cannot be written.
        BusUnavailable: NATS stayed away.
    """
    try:
        return await _store_recording(bus, blobs, session, samples)
    except BaseException:
        await with_deadline(CLEAN_UP_SECONDS_MAX, _clean_up(bus, blobs, session))
        raise


async def _store_recording(bus: Bus, blobs: BlobStore, session: SessionRecord, samples: int) -> str:
    writer = BlobWriter(blobs, upload_key(session.tenant, session.session_id))
    digest = hashlib.sha256()

    async def write(data: bytes) -> None:
        digest.update(data)
        await writer.write(data)

    samples, newest = await _find_end(bus, session, samples)
    await write(wav_header(session.sample_rate_hertz, samples))
    async with aclosing(_audio(bus, session, samples, newest)) as audio:
        async for data in audio:
            await write(data)
    await writer.finish()
    record = _record(session, samples, size=writer.size, sha256=digest.hexdigest())
    key = subjects.record(session.tenant, session.session_id)
    try:
        await settled(RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord).create(key, record))
    except Conflict:
        if not await _is_stored(bus, session):
            await blobs.delete(upload_key(session.tenant, session.session_id))
            return ""
    return session.session_id


async def _find_end(bus: Bus, session: SessionRecord, samples: int) -> tuple[int, int]:
    """Find the end of a recording: NATS loses the end of an audio log on a full disk.

    Args:
        bus: The connection.
        session: The session of the log.
        samples: The number of its samples.

    Returns:
        The number of samples up to the end, and the sequence of the log's newest message.

    Raises:
        AudioLogGap: The log has no samples.
        BusUnavailable: NATS stayed away.
    """
    newest = await newest_message(bus, topology.LIVE_AUDIO, subjects.live_audio(session.tenant, session.session_id))
    if newest is None:
        raise AudioLogGap("the audio log is empty")
    message = LiveInput.FromString(newest.data)
    stored = message.first_sample + len(message.pcm16) // SAMPLE_BYTES
    if not stored:
        raise AudioLogGap("the audio log has no audio")
    if stored < samples:
        log.warning("recording_cut_short", samples=stored, missing=samples - stored)
    return min(samples, stored), newest.sequence


async def _audio(bus: Bus, session: SessionRecord, samples: int, newest: int) -> AsyncGenerator[bytes]:
    """Read the first samples of a log, each once.

    Raises:
        AudioLogGap: One of them is missing.
        BusUnavailable: NATS stayed away, or the log is gone.
    """
    position = 0
    subject = subjects.live_audio(session.tenant, session.session_id)
    async with aclosing(stored_messages(bus, topology.LIVE_AUDIO, subject, after=0, up_to=newest)) as messages:
        async for message in messages:
            entry = LiveInput.FromString(message.data)
            if entry.first_sample > position:
                break
            data = entry.pcm16[
                SAMPLE_BYTES * (position - entry.first_sample) : SAMPLE_BYTES * (samples - entry.first_sample)
            ]
            position += len(data) // SAMPLE_BYTES
            yield data
            if position == samples:
                return
    raise AudioLogGap(f"sample {position} is missing in the audio log")


async def _is_stored(bus: Bus, session: SessionRecord) -> bool:
    """Whether the session's audio is an upload already, stored by this owner or another one."""
    key = subjects.record(session.tenant, session.session_id)
    upload = await RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord).get(key)
    return upload is not None and upload.value.state == Upload.STATE_READY


async def _clean_up(bus: Bus, blobs: BlobStore, session: SessionRecord) -> None:
    """Delete the copy for a session that another owner has ended meanwhile, if its upload is deleted by now.

    While the session is not over, its next owner writes the same parts again.
    """
    key = subjects.record(session.tenant, session.session_id)
    stored = await RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord).get(key)
    is_over = stored is None or stored.value.state == SessionRecord.STATE_ENDED
    if is_over and not await _is_stored(bus, session):
        await blobs.delete(upload_key(session.tenant, session.session_id))


def _record(session: SessionRecord, samples: int, *, size: int, sha256: str) -> UploadRecord:
    return UploadRecord(
        tenant=session.tenant,
        upload_id=session.session_id,
        display_name=f"live session {session.session_id}",
        size_bytes=size,
        committed_size=size,
        part_size=PART_BYTES,
        state=Upload.STATE_READY,
        sha256=sha256,
        audio=AudioInfo(
            container="wav",
            codec="pcm_s16le",
            sample_rate_hertz=session.sample_rate_hertz,
            channel_count=1,
            duration=duration_of(samples, session.sample_rate_hertz),
        ),
        create_time=now(),
        needs_job=not session.keep_recording,
    )
