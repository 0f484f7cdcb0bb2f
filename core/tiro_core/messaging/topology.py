"""The declarations of all streams, buckets and consumers, which a service creates or updates when it starts."""

import asyncio
from dataclasses import replace
from math import inf

from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import BusUnavailable, translated
from tiro_core.messaging.publishing import with_patience
from tiro_core.messaging.streams.audio import ensure_audio_stream
from tiro_core.messaging.streams.retired import delete_retired_streams
from tiro_core.messaging.streams.updates import StreamRefused, ensure_stream

TASKS = "TIRO_TASKS"
SESSIONS = "TIRO_SESSIONS"
CALLBACKS = "TIRO_CALLBACKS"
FETCHES = "TIRO_FETCHES"
JOB_EVENTS = "TIRO_JOB_EVENTS"
LIVE_AUDIO = "TIRO_LIVE_AUDIO"
LIVE_EVENTS = "TIRO_LIVE_EVENTS"
BLOBS = "TIRO_BLOBS"
DEAD = "TIRO_DEAD"

JOBS_BUCKET = "tiro-jobs"
JOB_ARCHIVE_BUCKET = "tiro-job-archive"
JOB_ARCHIVE_MARKS_BUCKET = "tiro-job-archive-marks"
EXPIRY_BUCKET = "tiro-expiry"
UPLOADS_BUCKET = "tiro-uploads"
MAINTENANCE_BUCKET = "tiro-maintenance"
UPLOAD_REFERENCES_BUCKET = "tiro-upload-uses"
REQUESTS_BUCKET = "tiro-requests"
LIVE_SESSIONS_BUCKET = "tiro-sessions"
WORKERS_BUCKET = "tiro-workers"
API_KEYS_BUCKET = "tiro-api-keys"
USAGE_BUCKET = "tiro-usage"

TASK_REDELIVERY_SECONDS = 20
"""A task message that its worker does not extend for this long is delivered to another worker. Workers extend it every
quarter of this time."""
SESSION_REDELIVERY_SECONDS = 3
"""The same for a live session, whose speaker waits. Workers extend it every second."""
CALLBACK_REDELIVERY_SECONDS = 60
"""The same for a callback. It is longer than a try takes."""
ACKNOWLEDGEMENTS_PENDING_MAX = 100_000
"""Work in progress on one model, over all workers. The server's default, 1000, would stop a large deployment."""
AUDIO_LOG_HEARTBEAT_SECONDS = 10.0
"""How often the streamer writes to a session's audio log without audio, so that the worker knows that it is alive."""
AUDIO_STREAM_CHECK_SECONDS = 30.0
"""How often a service checks whether the stream of live audio can be replaced by one with more copies."""
WORKER_EXPIRY_SECONDS = 10
"""A worker that has not renewed its record for this long counts as dead."""

LIVE_AGE_SECONDS = 24 * 3600.0
"""How long what live sessions write is kept: audio, events, task messages. No session may last as long."""

_DAY = 24 * 3600.0
_HISTORY_AGE = 30 * _DAY
_REQUEST_AGE = 400 * _DAY
_USAGE_AGE = 400 * _DAY

log = get_logger()


def bucket_stream(bucket: str) -> str:
    """The stream behind a key-value bucket, by NATS's convention, so that its own tools can read it."""
    return f"KV_{bucket}"


def bucket_subject(bucket: str, key: str) -> str:
    """The subject behind a key, by the same convention."""
    return f"$KV.{bucket}.{key}"


def _bucket(bucket: str, *, max_age: float = 0) -> StreamConfig:
    return StreamConfig(
        name=bucket_stream(bucket),
        subjects=[bucket_subject(bucket, ">")],
        max_msgs_per_subject=1,
        max_age=max_age,
        discard=DiscardPolicy.NEW,
        storage=StorageType.FILE,
        allow_rollup_hdrs=True,
        allow_direct=True,
        allow_msg_ttl=True,
    )


_WORK = StreamConfig(
    retention=RetentionPolicy.WORK_QUEUE,
    storage=StorageType.FILE,
    discard=DiscardPolicy.NEW,
    max_msgs_per_subject=1,
    discard_new_per_subject=True,
)
"""Task messages: one a subject, a second one is refused; deleted once acknowledged."""
_HISTORY = StreamConfig(
    retention=RetentionPolicy.LIMITS, storage=StorageType.FILE, discard=DiscardPolicy.NEW, allow_direct=True
)
"""Events: kept for a time; a new one is refused, rather than an old one dropped, when the store is full."""
_STREAMS = [
    replace(_WORK, name=TASKS, subjects=[subjects.TASKS], max_msgs=1_000_000),
    replace(_WORK, name=CALLBACKS, subjects=[subjects.CALLBACKS], max_msgs=1_000_000),
    replace(_WORK, name=FETCHES, subjects=[subjects.FETCHES], max_msgs=1_000_000),
    replace(_WORK, name=SESSIONS, subjects=[subjects.SESSIONS], max_msgs=100_000, max_age=LIVE_AGE_SECONDS),
    replace(_HISTORY, name=JOB_EVENTS, subjects=[subjects.JOB_EVENTS], max_age=_HISTORY_AGE),
    replace(_HISTORY, name=LIVE_EVENTS, subjects=[subjects.LIVE_EVENTS], max_age=LIVE_AGE_SECONDS),
    replace(_HISTORY, name=BLOBS, subjects=[subjects.BLOBS], max_msgs_per_subject=1),
    replace(_HISTORY, name=DEAD, subjects=[subjects.DEAD], max_age=_HISTORY_AGE, max_msgs_per_subject=1),
    _bucket(JOBS_BUCKET),
    _bucket(JOB_ARCHIVE_BUCKET),
    _bucket(JOB_ARCHIVE_MARKS_BUCKET),
    _bucket(EXPIRY_BUCKET),
    _bucket(UPLOADS_BUCKET),
    _bucket(MAINTENANCE_BUCKET),
    _bucket(UPLOAD_REFERENCES_BUCKET),
    _bucket(REQUESTS_BUCKET, max_age=_REQUEST_AGE),
    _bucket(LIVE_SESSIONS_BUCKET, max_age=7 * _DAY),
    _bucket(WORKERS_BUCKET, max_age=WORKER_EXPIRY_SECONDS),
    _bucket(API_KEYS_BUCKET),
    _bucket(USAGE_BUCKET, max_age=_USAGE_AGE),
]
_AUDIO = replace(_HISTORY, name=LIVE_AUDIO, subjects=[subjects.LIVE_AUDIO], max_age=LIVE_AGE_SECONDS)


async def ensure_streams(bus: Bus, replicas: int) -> None:
    """Create or update all streams and buckets.

    Tries without a limit while JetStream is not ready: it answers later than the NATS server itself after a start, and
    a cluster creates no stream before enough of its nodes are up.

    Raises:
        StreamRefused: NATS refuses to create or change one of them.
    """
    reported = False

    async def ensure() -> None:
        nonlocal reported
        try:
            with translated():
                await delete_retired_streams(bus.jetstream)
                for config in _STREAMS:
                    await ensure_stream(bus.jetstream, replace(config, num_replicas=replicas))
                if not await ensure_audio_stream(bus.jetstream, replace(_AUDIO, num_replicas=replicas)):
                    log.warning("audio_stream_keeps_one_copy", note="replaced when no live session has audio in it")
        except BusUnavailable as error:
            if not reported:
                log.warning("streams_unavailable", reason=str(error), note="trying for as long as it takes")
            reported = True
            raise

    await with_patience(ensure, inf)


async def replicate_audio_stream(bus: Bus, replicas: int) -> None:
    """Give the stream of live audio its copies, as soon as no live session has audio in it.

    Raises:
        BusUnavailable: NATS did not answer.
    """
    while True:
        try:
            with translated():
                if await ensure_audio_stream(bus.jetstream, replace(_AUDIO, num_replicas=replicas)):
                    return
        except StreamRefused as refused:  # a running service continues with the stream as it is
            log.error("audio_stream_refused", reason=str(refused))  # noqa: TRY400 - the reason says it all
        await asyncio.sleep(AUDIO_STREAM_CHECK_SECONDS)


async def ensure_task_consumer(bus: Bus, engine: str, model: str) -> str:
    """Create or update the one consumer from which all workers of a model take jobs. Returns its name."""
    name = f"{engine}-{subjects.token(model)}"
    work = _work_consumer(name, subjects.tasks_of(engine, model), TASK_REDELIVERY_SECONDS)
    await bus.jetstream.add_consumer(TASKS, work)
    return name


async def ensure_session_consumer(bus: Bus, engine: str, model: str) -> str:
    """Create or update the one consumer from which all workers of a model take live sessions. Returns its name."""
    name = f"{engine}-{subjects.token(model)}"
    work = _work_consumer(name, subjects.sessions_of(engine, model), SESSION_REDELIVERY_SECONDS)
    await bus.jetstream.add_consumer(SESSIONS, work)
    return name


async def ensure_callback_consumer(bus: Bus) -> str:
    """Create or update the one consumer from which all ingest services take callbacks. Returns its name."""
    name = "callbacks"
    await bus.jetstream.add_consumer(CALLBACKS, _work_consumer(name, subjects.CALLBACKS, CALLBACK_REDELIVERY_SECONDS))
    return name


async def ensure_fetch_consumer(bus: Bus) -> str:
    """Create or update the one consumer from which all ingest services take fetches. Returns its name."""
    name = "fetches"
    await bus.jetstream.add_consumer(FETCHES, _work_consumer(name, subjects.FETCHES, TASK_REDELIVERY_SECONDS))
    return name


def _work_consumer(name: str, subject: str, redelivery_seconds: float) -> ConsumerConfig:
    return ConsumerConfig(
        durable_name=name,
        filter_subject=subject,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=redelivery_seconds,
        deliver_policy=DeliverPolicy.ALL,
        max_deliver=-1,
        max_ack_pending=ACKNOWLEDGEMENTS_PENDING_MAX,
    )
