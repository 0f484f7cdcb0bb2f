"""Names of subjects and keys. A name from outside is checked before it gets here; see `tiro_core.ids`."""

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
"""Lanes of jobs as subjects name them, for who looks at a queue: workers take what comes first."""


def token(name: str) -> str:
    """A model's name as one token of a subject: `tiny.en` has a dot, and no name has an underscore."""
    return name.replace(".", "_")


def task(engine: str, model: str, lane: "Transcription.Lane.ValueType", tenant: str, job: str) -> str:
    """Where a job is offered. Of its own, so that it cannot be offered twice at a time."""
    name = LANES.get(lane, LANES[Transcription.LANE_STANDARD])
    return f"tiro.task.{engine}.{token(model)}.{name}.{tenant}.{job}"


def tasks_of_job(tenant: str, job: str) -> str:
    """Wherever a job may be enqueued."""
    return f"tiro.task.*.*.*.{tenant}.{job}"


def tasks_of(engine: str, model: str) -> str:
    """What a worker with this model takes jobs from."""
    return f"tiro.task.{engine}.{token(model)}.>"


def session(engine: str, model: str, tenant: str, session_id: str) -> str:
    """Where a live session is offered."""
    return f"tiro.session.{engine}.{token(model)}.{tenant}.{session_id}"


def sessions_of(engine: str, model: str) -> str:
    """What a worker with this model takes sessions from."""
    return f"tiro.session.{engine}.{token(model)}.>"


def callback(tenant: str, job: str) -> str:
    """Where the callback of a job is offered."""
    return f"tiro.callback.{tenant}.{job}"


def fetch(tenant: str, job: str) -> str:
    """Where the fetching of a job's recording is offered."""
    return f"tiro.fetch.{tenant}.{job}"


def job_events(tenant: str, job: str) -> str:
    """The history of a job."""
    return f"tiro.event.{tenant}.{job}"


def live_audio(tenant: str, session_id: str) -> str:
    """Audio and controls of a session."""
    return f"tiro.live.{tenant}.{session_id}.audio"


def live_events(tenant: str, session_id: str) -> str:
    """Finals and states of a session."""
    return f"tiro.live.{tenant}.{session_id}.event"


def live_partial(tenant: str, session_id: str) -> str:
    """The partials of a session. They are broadcast, and in no stream."""
    return f"tiro.live.{tenant}.{session_id}.partial"


def live_progress(tenant: str, session_id: str) -> str:
    """The progress of a session's worker. It is broadcast, and in no stream."""
    return f"tiro.live.{tenant}.{session_id}.progress"


def dead(tenant: str, job: str) -> str:
    """Where a job is parked that was given up."""
    return f"tiro.dead.{tenant}.{job}"


def notifications(worker_id: str) -> str:
    """Where a worker learns that a record which it owns was written by another process. In no stream."""
    return f"tiro.worker.{worker_id}.notify"


def record(tenant: str, resource_id: str) -> str:
    """The key of what a tenant owns."""
    return f"{tenant}.{resource_id}"


def upload_use(tenant: str, upload_id: str, job_id: str) -> str:
    """The key of a job's need for an upload."""
    return f"{tenant}.{upload_id}.{job_id}"


def usage(tenant: str, engine: str, day: str) -> str:
    """The key of what a tenant's audio over an engine came to in a day."""
    return f"{tenant}.{token(engine)}.{day}"
