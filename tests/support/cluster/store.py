"""Tiro's streams and buckets, read past the services. No other file of the rig knows their names."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import nats
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from tests.support.cluster.nats import NatsCluster
from tiro.events.v1.live_pb2 import LiveInput, SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord
from tiro_core.blobs.keys import STORE_ID_KEY
from tiro_core.messaging import topology

JOBS = topology.bucket_stream(topology.JOBS_BUCKET)
AUDIO = topology.LIVE_AUDIO
TASKS = topology.TASKS
SESSIONS = topology.bucket_stream(topology.LIVE_SESSIONS_BUCKET)
QUEUES = (topology.TASKS, topology.SESSIONS, topology.CALLBACKS, topology.FETCHES)
_ARCHIVE = topology.bucket_stream(topology.JOB_ARCHIVE_BUCKET)
_UPLOADS = topology.bucket_stream(topology.UPLOADS_BUCKET)
_ANSWER_SECONDS_MAX = 10.0
_FETCH_SECONDS = 5.0
_BATCH = 500


@dataclass(frozen=True, slots=True)
class BlobParts:
    """One blob in the store."""

    owner: str
    """Id of its job or upload."""
    key: str
    """The rest of its key, as in `audio` or `transcript.1`."""
    parts: int


class Store:
    """Reads the store. Use `open_store`. Results are consistent once no writes are under way."""

    def __init__(self, jetstream: JetStreamContext) -> None:
        self._jetstream = jetstream

    async def jobs(self) -> dict[str, TranscriptionRecord]:
        """Records of jobs that are not deleted, by id. A job that is on its way to the archive is in both buckets."""
        stored = [*await self._newest(_ARCHIVE), *await self._newest(JOBS)]  # the later one counts
        records = [TranscriptionRecord.FromString(data) for _, data in stored]
        return {record.transcription_id: record for record in records}

    async def job_events(self) -> dict[str, list[TranscriptionEvent]]:
        """Event logs of jobs, by id, in the order of the stream."""
        events: dict[str, list[TranscriptionEvent]] = {}
        for subject, data in await self._messages(topology.JOB_EVENTS):
            events.setdefault(subject.rpartition(".")[2], []).append(TranscriptionEvent.FromString(data))
        return events

    async def session_states(self) -> Counter[str]:
        """Number of live sessions in each state."""
        records = [SessionRecord.FromString(data) for _, data in await self._newest(SESSIONS)]
        return Counter(SessionRecord.State.Name(record.state).removeprefix("STATE_") for record in records)

    async def live_inputs(self) -> list[str]:
        """Messages in the log of live audio, oldest first: session, kind, and the sample at which it begins."""
        messages = [(subject, LiveInput.FromString(data)) for subject, data in await self._messages(AUDIO)]
        return [f"{subject.split('.')[3]} {one.WhichOneof('input')} {one.first_sample}" for subject, one in messages]

    async def upload_ids(self) -> set[str]:
        """Ids of uploads."""
        return {subject.rpartition(".")[2] for subject, _ in await self._newest(_UPLOADS)}

    async def blobs(self) -> list[BlobParts]:
        """Blobs with at least one part."""
        parts: Counter[tuple[str, str]] = Counter()
        for subject in await self._subjects(topology.BLOBS):
            if subject == f"tiro.blob.{STORE_ID_KEY}.0":
                continue
            _, _, _tenant, owner, *key, _part = subject.split(".")
            parts[owner, ".".join(key)] += 1
        return [BlobParts(owner, key, count) for (owner, key), count in parts.items()]

    async def message_count(self, stream: str) -> int:
        """Number of messages in a stream."""
        return int((await self._jetstream.stream_info(stream)).state.messages)

    async def replicas(self) -> dict[str, int]:
        """Number of replicas of each stream."""
        streams = await self._jetstream.streams_info()
        return {stream.config.name or "": stream.config.num_replicas or 1 for stream in streams}

    async def dead_letters(self) -> int:
        """Number of jobs that were given up."""
        return await self.message_count(topology.DEAD)

    async def _subjects(self, stream: str) -> list[str]:
        info = await self._jetstream.stream_info(stream, subjects_filter=">")
        return list(info.state.subjects or {})

    async def _newest(self, bucket: str) -> list[tuple[str, bytes]]:
        """Subject and value of each key of a bucket that is not deleted."""
        return [(subject, data) for subject, data in await self._messages(bucket) if data]

    async def _messages(self, stream: str) -> list[tuple[str, bytes]]:
        """Subject and data of all messages in a stream, oldest first."""
        config = ConsumerConfig(ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL)
        reading = await self._jetstream.pull_subscribe("", stream=stream, config=config)
        try:
            return await _read_all(reading)
        except NatsTimeoutError as error:
            raise AssertionError(f"{stream} could not be read") from error
        finally:
            await reading.unsubscribe()


async def _read_all(reading: JetStreamContext.PullSubscription) -> list[tuple[str, bytes]]:
    pending = (await reading.consumer_info()).num_pending or 0
    messages: list[tuple[str, bytes]] = []
    while len(messages) < pending:
        fetched = await reading.fetch(min(_BATCH, pending - len(messages)), timeout=_FETCH_SECONDS)
        messages += [(message.subject, message.data) for message in fetched]
    return messages


@asynccontextmanager
async def open_store(cluster: NatsCluster) -> AsyncIterator[Store]:
    """A reader, connected past the links."""
    servers = [cluster.direct_url(node) for node in cluster.nodes if node.runs]
    connection = await nats.connect(servers)
    try:
        yield Store(connection.jetstream(timeout=_ANSWER_SECONDS_MAX))
    finally:
        await connection.close()
