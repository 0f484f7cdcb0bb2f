"""Every stream, bucket and consumer there is, declared here and ensured when a service starts."""

from dataclasses import replace
from math import inf

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    PersistMode,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError

from tiro_core.messaging import subjects
from tiro_core.messaging.errors import translated
from tiro_core.messaging.publishing import with_patience

TASKS = "TIRO_TASKS"
SESSIONS = "TIRO_SESSIONS"
CALLBACKS = "TIRO_CALLBACKS"
FETCHES = "TIRO_FETCHES"
JOB_EVENTS = "TIRO_JOB_EVENTS"
LIVE_AUDIO = "TIRO_LIVE_AUDIO"
LIVE_EVENTS = "TIRO_LIVE_EVENTS"
LIVE_PARTIALS = "TIRO_LIVE_PARTIALS"
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
"""A job whose worker has said nothing for so long is offered to another one. Workers speak every quarter of it."""
SESSION_REDELIVERY_SECONDS = 3
"""The same for a live session, where somebody is waiting. Workers speak every second."""
CALLBACK_REDELIVERY_SECONDS = 60
"""The same for a callback: longer than a try takes."""
ACKNOWLEDGEMENTS_PENDING_MAX = 100_000
"""Work in progress on one model, over all workers. The server's own default, 1000, would stop a large deployment."""
AUDIO_LOG_HEARTBEAT_SECONDS = 10.0
"""A live session's audio line is written to this often also when nothing is said: its worker knows that somebody is
there."""
WORKER_EXPIRY_SECONDS = 10
"""A worker that has not renewed its record for so long is gone."""

_DAY = 24 * 3600.0
_LIVE_AGE = 1 * _DAY
_HISTORY_AGE = 30 * _DAY
_REQUEST_AGE = 400 * _DAY
_USAGE_AGE = 400 * _DAY
_STREAM_EXISTS_DIFFERENTLY = 10058  # JSStreamNameExistErr


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
"""What wants a worker: one hint a record, refused while there is one, gone once acknowledged."""
_HISTORY = StreamConfig(
    retention=RetentionPolicy.LIMITS, storage=StorageType.FILE, discard=DiscardPolicy.NEW, allow_direct=True
)
"""What happened: kept for a time, and refused rather than dropped when the store is full."""
_NEWEST = StreamConfig(
    max_msgs_per_subject=1, storage=StorageType.MEMORY, max_bytes=256 * 1024 * 1024, discard=DiscardPolicy.OLD
)
"""What is of no more interest once something newer is there."""

_STREAMS = [
    replace(_WORK, name=TASKS, subjects=[subjects.TASKS], max_msgs=1_000_000),
    replace(_WORK, name=CALLBACKS, subjects=[subjects.CALLBACKS], max_msgs=1_000_000),
    replace(_WORK, name=FETCHES, subjects=[subjects.FETCHES], max_msgs=1_000_000),
    replace(_WORK, name=SESSIONS, subjects=[subjects.SESSIONS], max_msgs=100_000, max_age=_LIVE_AGE),
    replace(_HISTORY, name=JOB_EVENTS, subjects=[subjects.JOB_EVENTS], max_age=_HISTORY_AGE),
    replace(_HISTORY, name=LIVE_AUDIO, subjects=[subjects.LIVE_AUDIO], max_age=_LIVE_AGE),
    replace(_HISTORY, name=LIVE_EVENTS, subjects=[subjects.LIVE_EVENTS], max_age=_LIVE_AGE),
    replace(_NEWEST, name=LIVE_PARTIALS, subjects=[subjects.LIVE_PARTIALS], max_age=_LIVE_AGE),
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


async def ensure_streams(jetstream: JetStreamContext, replicas: int) -> None:
    """Create what is not there, and bring what is there up to date.

    Tries for as long as it takes: a NATS server that has just started answers for itself before it does for JetStream.
    """

    async def ensure() -> None:
        async with translated():
            await _ensure_streams(jetstream, replicas)

    await with_patience(ensure, inf)


async def _ensure_streams(jetstream: JetStreamContext, replicas: int) -> None:
    for config in _STREAMS:
        wanted = replace(config, num_replicas=replicas)
        if wanted.name == LIVE_AUDIO and replicas == 1:
            # Flushed before the acknowledgement like jobs are, live audio would cost 1,400 frames a second at most;
            # what a power cut takes of it, the speakers' machines have lost as well. Not to be had with replicas.
            wanted = replace(wanted, persist_mode=PersistMode.ASYNC)
        await _ensure_stream(jetstream, wanted)


async def _ensure_stream(jetstream: JetStreamContext, config: StreamConfig) -> None:
    try:
        await jetstream.add_stream(config)
    except BadRequestError as error:
        if error.err_code != _STREAM_EXISTS_DIFFERENTLY:
            raise
        await jetstream.update_stream(config)


async def ensure_task_consumer(jetstream: JetStreamContext, engine: str, model: str) -> str:
    """Have the one consumer through which all workers of a model take jobs, and return its name."""
    name = f"{engine}-{subjects.token(model)}"
    work = _work_consumer(name, subjects.tasks_of(engine, model), TASK_REDELIVERY_SECONDS)
    await jetstream.add_consumer(TASKS, work)
    return name


async def ensure_session_consumer(jetstream: JetStreamContext, engine: str, model: str) -> str:
    """Have the one consumer through which all workers of a model take live sessions, and return its name."""
    name = f"{engine}-{subjects.token(model)}"
    work = _work_consumer(name, subjects.sessions_of(engine, model), SESSION_REDELIVERY_SECONDS)
    await jetstream.add_consumer(SESSIONS, work)
    return name


async def ensure_callback_consumer(jetstream: JetStreamContext) -> str:
    """Have the one consumer through which all ingest services take callbacks, and return its name."""
    name = "callbacks"
    await jetstream.add_consumer(CALLBACKS, _work_consumer(name, subjects.CALLBACKS, CALLBACK_REDELIVERY_SECONDS))
    return name


async def ensure_fetch_consumer(jetstream: JetStreamContext) -> str:
    """Have the one consumer through which all ingest services take fetches, and return its name."""
    name = "fetches"
    await jetstream.add_consumer(FETCHES, _work_consumer(name, subjects.FETCHES, TASK_REDELIVERY_SECONDS))
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
