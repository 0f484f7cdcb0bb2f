"""Names of subjects and keys. Names from outside are checked before (`tiro_core.ids`)."""

from tiro.transcription.v1.transcription_pb2 import Transcription

TASKS = "tiro.task.>"
SESSIONS = "tiro.session.>"
CALLBACKS = "tiro.callback.>"
FETCHES = "tiro.fetch.>"
JOB_EVENTS = "tiro.event.>"
LIVE_AUDIO = "tiro.live.*.*.audio"
LIVE_EVENTS = "tiro.live.*.*.event"
BLOBS = "tiro.blob.>"
DEAD = "tiro.dead.>"

LANES = {
    Transcription.LANE_INTERACTIVE: "interactive",
    Transcription.LANE_STANDARD: "standard",
    Transcription.LANE_DEFERRED: "deferred",
}
"""The lanes of jobs in subjects, for operators who list a queue: workers take messages in the order of the queue."""


def token(name: str) -> str:
    """A model's name as one token of a subject: `tiny.en` has a dot, and no name has an underscore."""
    return name.replace(".", "_")


def task(engine: str, model: str, lane: "Transcription.Lane.ValueType", tenant: str, job: str) -> str:
    """The subject of a job's task message. Each job has its own, so that it cannot be enqueued twice at a time."""
    name = LANES.get(lane, LANES[Transcription.LANE_STANDARD])
    return f"tiro.task.{engine}.{token(model)}.{name}.{tenant}.{job}"


def tasks_of_job(tenant: str, job: str) -> str:
    """A filter for every subject on which a job may be enqueued."""
    return f"tiro.task.*.*.*.{tenant}.{job}"


def tasks_of(engine: str, model: str) -> str:
    """A filter for the task messages of a model's jobs."""
    return f"tiro.task.{engine}.{token(model)}.>"


def session(engine: str, model: str, tenant: str, session_id: str) -> str:
    """The subject of a live session's task message."""
    return f"tiro.session.{engine}.{token(model)}.{tenant}.{session_id}"


def sessions_of(engine: str, model: str) -> str:
    """A filter for the task messages of a model's live sessions."""
    return f"tiro.session.{engine}.{token(model)}.>"


def callback(tenant: str, job: str) -> str:
    """The subject of the task message for a job's callback."""
    return f"tiro.callback.{tenant}.{job}"


def fetch(tenant: str, job: str) -> str:
    """The subject of the task message for fetching a job's recording."""
    return f"tiro.fetch.{tenant}.{job}"


def job_events(tenant: str, job: str) -> str:
    """The event log of a job."""
    return f"tiro.event.{tenant}.{job}"


def live_audio(tenant: str, session_id: str) -> str:
    """The audio log of a session."""
    return f"tiro.live.{tenant}.{session_id}.audio"


def live_events(tenant: str, session_id: str) -> str:
    """The event log of a session."""
    return f"tiro.live.{tenant}.{session_id}.event"


def live_partial(tenant: str, session_id: str) -> str:
    """The partials of a session. They are broadcast, not stored."""
    return f"tiro.live.{tenant}.{session_id}.partial"


def live_progress(tenant: str, session_id: str) -> str:
    """The progress of a session's worker. It is broadcast, not stored."""
    return f"tiro.live.{tenant}.{session_id}.progress"


def dead(tenant: str, job: str) -> str:
    """The subject of the record of a job that was given up."""
    return f"tiro.dead.{tenant}.{job}"


def notifications(worker_id: str) -> str:
    """The notifications to a worker that another process has written a record that it owns. Broadcast, not stored."""
    return f"tiro.worker.{worker_id}.notify"


def record(tenant: str, resource_id: str) -> str:
    """The key of a record of a tenant's resource."""
    return f"{tenant}.{resource_id}"


def upload_use(tenant: str, upload_id: str, job_id: str) -> str:
    """The key of a job's reference to an upload."""
    return f"{tenant}.{upload_id}.{job_id}"


def usage(tenant: str, engine: str, day: str) -> str:
    """The key of a tenant's usage of an engine in a day."""
    return f"{tenant}.{token(engine)}.{day}"
