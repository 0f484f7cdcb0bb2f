"""A stand-in worker for `benchmarks.live.overhead`: it publishes a partial for each audio message at once.

It claims, renews, reads and ends sessions with the transcriber's own parts. The text of a partial is the
times at which its audio was received and it was sent, in nanoseconds of CLOCK_MONOTONIC, which all processes share.
"""

import asyncio
import sys
import time

from tiro.events.v1.live_pb2 import LiveInput, LivePartial, SessionRecord, SessionTask
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1.transcript_pb2 import Segment
from tiro_core.audio.pcm import SAMPLE_BYTES
from tiro_core.clock import duration_of, now
from tiro_core.ids import new_id
from tiro_core.leases.owned_record import OwnedRecord, new_lease
from tiro_core.leases.renewal import hold_lease
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.operations import broadcast, purge
from tiro_core.messaging.queues.work_queue import TaskMessage, WorkQueueConsumer
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer, StreamState
from tiro_core.messaging.records import RecordStore
from tiro_core.settings import CoreSettings
from tiro_transcriber.registration import Registration
from tiro_transcriber.sessions.claims import LEASE_SECONDS
from tiro_transcriber.sessions.output import SessionOutput

ENGINE = "echo"
MODEL = "none"
SESSION_SLOTS = 1000
PROGRESS_SECONDS = 0.25
"""How often it publishes its progress: as often as the transcriber."""
READY = "ready"
"""Printed when its registration is stored."""


class EchoWorker:
    """Answers sessions."""

    def __init__(self, bus: Bus, worker_id: str) -> None:
        self._bus = bus
        self._worker_id = worker_id
        self._store = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)

    async def handle(self, message: TaskMessage) -> None:
        """Claim an enqueued session and serve it to its end."""
        task = SessionTask.FromString(message.data)
        owned = await self._claim(subjects.record(task.tenant, task.session_id))
        if owned is None:
            await message.acknowledge()
            return
        output = SessionOutput(self._bus, owned.value)
        async with hold_lease(owned, message):
            await output.take_over(self._worker_id)
            samples = await self._answer(owned.value, output)
        await output.end(samples, None)
        await self._end(owned, message)

    async def _claim(self, key: str) -> OwnedRecord[SessionRecord] | None:
        stored = await self._store.get(key)
        if stored is None or stored.value.state != SessionRecord.STATE_WAITING:
            return None
        stored.value.state = SessionRecord.STATE_ACTIVE
        stored.value.epoch += 1
        stored.value.lease.CopyFrom(new_lease(self._worker_id, LEASE_SECONDS))
        try:
            written = await self._store.update(key, stored.value, stored)
        except Conflict:
            return None
        return OwnedRecord(self._store, key, written, worker_id=self._worker_id, lease_seconds=LEASE_SECONDS)

    async def _answer(self, record: SessionRecord, output: SessionOutput) -> int:
        """Answer the audio until it ends, and return its number of samples."""
        partial_subject = subjects.live_partial(record.tenant, record.session_id)
        samples = revision = 0
        told_at = time.monotonic()
        async with OrderedConsumer(
            self._bus, topology.LIVE_AUDIO, subjects.live_audio(record.tenant, record.session_id)
        ) as tail:
            async for entry in tail:
                came_ns = time.monotonic_ns()
                message = LiveInput() if isinstance(entry, StreamState) else LiveInput.FromString(entry.data)
                if message.HasField("end"):
                    break
                if not message.pcm16:
                    continue
                samples += len(message.pcm16) // SAMPLE_BYTES
                revision += 1
                partial = LivePartial(
                    epoch=record.epoch,
                    after_sequence=1,  # the session's only event so far says that it is ours
                    revision=revision,
                    segment=Segment(
                        text=f"{came_ns} {time.monotonic_ns()}",
                        end_offset=duration_of(samples, record.sample_rate_hertz),
                    ),
                )
                await broadcast(self._bus, partial_subject, partial.SerializeToString())
                if time.monotonic() - told_at >= PROGRESS_SECONDS:
                    told_at = time.monotonic()
                    await output.publish_progress(samples)
        return samples

    async def _end(self, owned: OwnedRecord[SessionRecord], message: TaskMessage) -> None:
        def end(record: SessionRecord) -> None:
            record.state = SessionRecord.STATE_ENDED
            record.ClearField("lease")

        record = await owned.update(end)
        audio = subjects.live_audio(record.tenant, record.session_id)
        await purge(self._bus, topology.LIVE_AUDIO, audio)
        await message.acknowledge()


async def main() -> None:
    """Work until terminated."""
    async with open_bus(CoreSettings(), "live-echo") as bus:
        worker_id = new_id()
        record = WorkerRecord(
            worker_id=worker_id,
            engine=ENGINE,
            model=MODEL,
            language_codes=["en"],
            session_slots=SESSION_SLOTS,
            start_time=now(),
        )
        registration = Registration(bus, record, lambda _: None)
        echo = EchoWorker(bus, worker_id)
        feed = WorkQueueConsumer(
            bus,
            stream=topology.SESSIONS,
            ensure_consumer=lambda: topology.ensure_session_consumer(bus, ENGINE, MODEL),
            slots=SESSION_SLOTS,
            handle=lambda message, _: echo.handle(message),
            changed=lambda: None,
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(registration.keep())
            tasks.create_task(feed.run())
            await registration.known.wait()
            sys.stdout.write(f"{READY}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
