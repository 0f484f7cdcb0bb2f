"""Creating the shadows of jobs that have succeeded, and comparing shadows with their originals.

The session's worker creates the shadow of a live session, because it has the audio.
"""

import asyncio
from contextlib import suppress
from dataclasses import asdict

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.blobs.interface import PartMissing, StorageUnavailable
from tiro_core.errors import TiroError
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.shadows import is_shadow_to_compare, shadow_of_job, wants_shadow
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict, MessagingError
from tiro_core.messaging.records import RecordStore
from tiro_core.messaging.subjects import record as record_key
from tiro_ingest.metrics import SHADOW_EDITS, SHADOW_WORDS, SHADOWS
from tiro_ingest.retention.remover import Remover
from tiro_ingest.shadows.difference import Difference, difference
from tiro_ingest.shadows.originals import Labels, Original, Originals
from tiro_ingest.uploads.references import UploadReferences, needs_upload

RETRY_SECONDS = 5.0

log = get_logger()


class ShadowRunner:
    """Creates and compares the shadows that the records ask for. After a restart it finds them in the records again.

    Several may run at once, one in each ingest service. A shadow is created once, because its id is made of its job's
    id, and counted once, by the service that marks the original as compared.
    """

    def __init__(self, bus: Bus, references: UploadReferences, remover: Remover, originals: Originals) -> None:
        self._bus = bus
        self._records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)
        self._references = references
        self._remover = remover
        self._originals = originals
        self._pending: dict[str, TranscriptionRecord] = {}
        self._news = asyncio.Event()

    def on_change(self, key: str, record: TranscriptionRecord | None) -> None:
        """Note that a job was written or deleted (`record` is None)."""
        if record is not None and (wants_shadow(record) or is_shadow_to_compare(record)):
            self._pending[key] = record
            self._news.set()
        else:
            self._pending.pop(key, None)

    async def run(self) -> None:
        """Create and compare shadows, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._pending:
                key, record = next(iter(self._pending.items()))
                try:
                    await (self._end(record) if record.shadow_of else self._begin(record))
                except (MessagingError, StorageUnavailable) as error:
                    log.warning("shadow_waits", key=key, error=repr(error), again_in_seconds=RETRY_SECONDS)
                    await asyncio.sleep(RETRY_SECONDS)
                    if (newest := self._pending.pop(key, None)) is not None:
                        self._pending[key] = newest  # behind the others
                else:
                    self._pending.pop(key, None)

    async def _begin(self, job: TranscriptionRecord) -> None:
        shadow = shadow_of_job(job)
        if not needs_upload(job):
            await self._originals.of_job(job).mark_compared()
            return
        await self._references.add(shadow.tenant, shadow.upload_id, shadow.transcription_id)
        with suppress(Conflict):  # it was created before
            await self._records.create(record_key(shadow.tenant, shadow.transcription_id), shadow)
        if await self._originals.of_shadow(shadow) is None:
            # The job was deleted or compared after it was read, before its shadow existed and could be removed.
            await self._remove(shadow)
            return
        await JobEventLog(self._bus, shadow.tenant, shadow.transcription_id).begin(shadow)
        log.info("shadow_begun", of=job.transcription_id, engine=shadow.config.engine, model=shadow.config.model)

    async def _end(self, shadow: TranscriptionRecord) -> None:
        """Compare a shadow, then remove it."""
        original = await self._originals.of_shadow(shadow)
        if original is not None:
            found = await self._compare(original, shadow)
            if await original.mark_compared():
                _record(original.labels, shadow, found)
        await self._remove(shadow)

    async def _remove(self, shadow: TranscriptionRecord) -> None:
        try:
            await self._remover.remove_job(shadow.tenant, shadow.transcription_id)
        except TiroError as error:  # another ingest service was faster
            log.debug("gone_already", job=shadow.transcription_id, error=str(error))

    async def _compare(self, original: Original, shadow: TranscriptionRecord) -> Difference | None:
        """The difference of a shadow and its original. None where one has no transcript."""
        if shadow.state != Transcription.STATE_SUCCEEDED:
            return None
        try:
            words, shadow_words = await original.words(), await self._originals.of_job(shadow).words()
        except PartMissing as error:  # one of them is being removed
            log.warning("shadow_not_compared", of=shadow.shadow_of, error=str(error))
            return None
        return await asyncio.to_thread(difference, words, shadow_words)


def _record(original: Labels, shadow: TranscriptionRecord, found: Difference | None) -> None:
    labels = (original.policy, original.engine, shadow.config.engine)
    SHADOWS.labels(*labels, "failed" if found is None else "compared").inc()
    if found is None:
        log.warning("shadow_failed", of=shadow.shadow_of, reason=shadow.error.message)
        return
    SHADOW_WORDS.labels(*labels).inc(found.words)
    SHADOW_EDITS.labels(*labels).inc(found.edits)
    log.info(
        "shadow_compared",
        tenant=shadow.tenant,
        of=shadow.shadow_of,
        **asdict(original),
        shadow_engine=shadow.config.engine,
        shadow_model=shadow.config.model,
        **asdict(found),
    )
