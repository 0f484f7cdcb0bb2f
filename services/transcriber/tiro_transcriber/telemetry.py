"""What a transcriber tells Prometheus."""

from contextlib import AbstractContextManager

from prometheus_client import Counter, Gauge, Histogram

JOBS = Counter("tiro_jobs_total", "Attempts at jobs that ended, by how", ["outcome", "reason"])
JOB_AUDIO_SECONDS = Counter("tiro_job_audio_seconds_total", "Seconds of recordings transcribed")
JOB_SECONDS = Histogram(
    "tiro_job_seconds", "How long attempts at jobs took", buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)
)
JOB_STAGE_SECONDS = Histogram(
    "tiro_job_stage_seconds",
    "How long the stages of attempts at jobs took: claim, spool (from the store to the decoder), decode (waiting for "
    "the decoder), engine, store (history, transcript, commit)",
    ["stage"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600),
)
SESSIONS_ACTIVE = Gauge("tiro_sessions_active", "Live sessions on this worker")
SESSIONS = Counter("tiro_sessions_total", "Live sessions that left this worker, by how", ["outcome"])
SESSION_AUDIO_SECONDS = Counter("tiro_session_audio_seconds_total", "Seconds of live audio transcribed")
SESSION_LAG_SECONDS = Histogram(
    "tiro_session_lag_seconds",
    "Audio that had come by the time a step of a session began",
    buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 16),
)


def job_ended(outcome: str, reason: str, audio_seconds: float) -> None:
    """Count an attempt that ended."""
    JOBS.labels(outcome, reason).inc()
    JOB_AUDIO_SECONDS.inc(audio_seconds)


def stage(name: str) -> AbstractContextManager[object]:
    """Time a stage of an attempt."""
    return JOB_STAGE_SECONDS.labels(name).time()
