"""The metrics of a transcriber."""

from contextlib import AbstractContextManager

from prometheus_client import Counter, Gauge, Histogram

JOBS = Counter("tiro_jobs_total", "Attempts at jobs that ended, by outcome and reason", ["outcome", "reason"])
JOB_AUDIO_SECONDS = Counter("tiro_job_audio_seconds_total", "Seconds of recordings transcribed")
JOB_SECONDS = Histogram(
    "tiro_job_seconds", "How long attempts at jobs took", buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)
)
JOB_STAGE_SECONDS = Histogram(
    "tiro_job_stage_seconds",
    "How long the steps of attempts at jobs took: claim, spool (from the store to the decoder), decode (waiting for "
    "the decoder), engine, commit (event log, transcript, record)",
    ["stage"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600),
)
SESSIONS_ACTIVE = Gauge("tiro_sessions_active", "Live sessions on this worker")
SESSION_CAPACITY = Gauge("tiro_session_capacity", "Live sessions that this worker could keep up with, as measured")
SESSION_LAG = Gauge("tiro_session_lag_seconds", "How long live audio waits for a thread: 95th percentile of 5 s")
SESSION_PARTIAL_INTERVAL = Gauge("tiro_session_partial_interval_seconds", "From one partial of a session to the next")
SESSION_PARTIALS = Counter("tiro_session_partials_total", "Partials decoded")
SESSION_MESSAGES_DROPPED = Counter(
    "tiro_session_messages_dropped_total", "Partials and reports of progress that were dropped while NATS was away"
)
SESSIONS_TAKEN_OVER = Counter("tiro_sessions_taken_over_total", "Live sessions taken over from another worker")
SESSIONS = Counter("tiro_sessions_total", "Live sessions that left this worker, by outcome", ["outcome"])
CLOUD_AUDIO_SECONDS = Counter(
    "tiro_cloud_audio_seconds_total", "Seconds of audio sent to services outside, by engine", ["engine"]
)
STAGE_FAILURES = Counter(
    "tiro_stage_failures_total", "Calls of stages of the pipeline that failed, by stage and kind", ["stage", "kind"]
)
SESSION_AUDIO_SECONDS = Counter("tiro_session_audio_seconds_total", "Seconds of live audio transcribed")


def job_ended(outcome: str, reason: str, audio_seconds: float) -> None:
    """Count an attempt that ended."""
    JOBS.labels(outcome, reason).inc()
    JOB_AUDIO_SECONDS.inc(audio_seconds)


def step(name: str) -> AbstractContextManager[object]:
    """Measure how long a step of an attempt at a job takes."""
    return JOB_STAGE_SECONDS.labels(name).time()
