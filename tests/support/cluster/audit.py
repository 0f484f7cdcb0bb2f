"""The audit: whether the store holds at the end what callers were promised, and nothing else."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.cluster.callers import Accepted, Callers
from tests.support.cluster.errors import label
from tests.support.cluster.store import AUDIO, QUEUES, Store
from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_client.errors import TiroError

SETTLE_SECONDS_MAX = 90.0
"""Limit of the wait until all jobs and sessions have ended and all queues are empty. The longest of the services' own
limits is 60 s, after which a worker ends a session without a streamer; then its record and its audio follow."""
_POLL_SECONDS = 0.5
_TERMINAL = {Transcription.STATE_SUCCEEDED, Transcription.STATE_FAILED, Transcription.STATE_CANCELLED}


@dataclass
class Audit:
    """Findings. All are empty or 0 if the promises were kept, `settle_seconds` apart."""

    lost: list[str] = field(default_factory=list)
    """Accepted jobs without a record."""
    doubled: list[str] = field(default_factory=list)
    """Records of jobs that were not returned to any caller."""
    not_over: list[str] = field(default_factory=list)
    """Accepted jobs that have not ended."""
    failed: Counter[str] = field(default_factory=Counter)
    """Jobs that ended without success, by state and error."""
    histories: list[str] = field(default_factory=list)
    """Jobs whose event log has a gap, or not exactly one terminal event."""
    transcripts: list[str] = field(default_factory=list)
    """Succeeded jobs whose transcript is wrong, or not stored exactly once."""
    orphans: list[str] = field(default_factory=list)
    """Blobs without a job or upload."""
    queued: dict[str, int] = field(default_factory=dict)
    """Number of messages left in each queue."""
    audio_left: list[str] = field(default_factory=list)
    """Messages left in the log of live audio: session, kind, position."""
    sessions_open: int = 0
    """Session records that are not ENDED."""
    dead_letters: int = 0
    settle_seconds: float = 0.0
    """Time until all jobs and sessions had ended and all queues were empty, from the end of the load."""


async def audit(store: Store, callers: Callers) -> Audit:
    """Wait until all work has ended, `SETTLE_SECONDS_MAX` at most, and compare."""
    found = Audit()
    found.settle_seconds = await _settle(store, callers.accepted)
    records, events = await store.jobs(), await store.job_events()
    promised = {accepted.job for accepted in callers.accepted}
    found.lost = sorted(promised - records.keys())
    found.doubled = sorted(records.keys() - promised)
    for job in sorted(promised & records.keys()):
        _check_end(found, records[job], events.get(job, []))
    await _check_transcripts(found, callers, records)
    await _check_blobs(found, store, records)
    found.queued = {queue: count for queue in QUEUES if (count := await store.message_count(queue))}
    found.audio_left = await store.live_inputs()
    found.sessions_open = await _sessions_open(store)
    found.dead_letters = await store.dead_letters()
    return found


async def _settle(store: Store, accepted: Sequence[Accepted]) -> float:
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < SETTLE_SECONDS_MAX:
        records = await store.jobs()
        over = all(one.job in records and records[one.job].state in _TERMINAL for one in accepted)
        messages = sum([await store.message_count(stream) for stream in (*QUEUES, AUDIO)])
        if over and not messages and not await _sessions_open(store):
            return waited
        await asyncio.sleep(_POLL_SECONDS)
    return waited


async def _sessions_open(store: Store) -> int:
    states = await store.session_states()
    return states.total() - states["ENDED"]


def _check_end(found: Audit, record: TranscriptionRecord, events: Sequence[TranscriptionEvent]) -> None:
    job = record.transcription_id
    if record.state not in _TERMINAL:
        found.not_over.append(f"{job} {Transcription.State.Name(record.state)}")
        return
    if record.state != Transcription.STATE_SUCCEEDED:
        found.failed[f"{Transcription.State.Name(record.state)}: {record.error.message}"] += 1
    sequences = [event.sequence for event in events]
    ends = sum(event.state_changed.state in _TERMINAL for event in events)
    if sequences != list(range(1, len(events) + 1)) or ends != 1:
        found.histories.append(f"{job}: sequences {sequences}, {ends} ends")


async def _check_transcripts(found: Audit, callers: Callers, records: dict[str, TranscriptionRecord]) -> None:
    for accepted in callers.accepted:
        record = records.get(accepted.job)
        if record is None or record.state != Transcription.STATE_SUCCEEDED:
            continue
        try:
            transcribed = await callers.transcript_of(accepted)
        except TiroError as error:
            found.transcripts.append(f"{accepted.job}: {label(error)}")
            continue
        if transcribed != accepted.words:
            found.transcripts.append(f"{accepted.job}: {transcribed} instead of {accepted.words}")


async def _check_blobs(found: Audit, store: Store, records: dict[str, TranscriptionRecord]) -> None:
    blobs = await store.blobs()
    owners = records.keys() | await store.upload_ids()
    found.orphans = [f"{blob.owner} {blob.key}" for blob in blobs if blob.owner not in owners]
    transcripts = Counter(blob.owner for blob in blobs if blob.key.startswith("transcript"))
    for job, record in records.items():
        if record.state == Transcription.STATE_SUCCEEDED and transcripts[job] != 1:
            found.transcripts.append(f"{job}: {transcripts[job]} are stored")
