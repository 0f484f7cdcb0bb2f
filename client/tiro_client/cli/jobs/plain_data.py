"""Jobs and their events as plain data, for `--json`."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from tiro_client.errors import TiroError
from tiro_client.jobs.job import Job
from tiro_client.jobs.job_events import JobEvent, JobProgress, JobSegments, JobStateChanged
from tiro_client.transcript import Segment

_SECONDS_DIGITS = 3
_CONFIDENCE_DIGITS = 4


def job_to_dict(job: Job) -> dict[str, Any]:
    """A job: timestamps in ISO 8601, the error as reason, code and message."""
    error, transcript = job.error, job.transcript
    data = {name: getattr(job, name) for name in Job.__slots__}
    timestamps = {key: value.isoformat() for key, value in data.items() if isinstance(value, datetime)}
    return {
        **data,
        **timestamps,
        "state": job.state.value,
        "error": error and _error_to_dict(error),
        "transcript": transcript and asdict(transcript),
    }


def event_to_dict(event: JobEvent) -> dict[str, Any]:
    """An event, with its kind under `event`."""
    numbers = {"sequence": event.sequence, "attempt": event.attempt}
    match event:
        case JobStateChanged(job=job):
            return {**numbers, "event": "state_changed", "job": job_to_dict(job)}
        case JobProgress():
            done, total = event.transcribed_seconds, event.audio_seconds
            progress = {"transcribed_seconds": done, "audio_seconds": total, "fetched_bytes": event.fetched_bytes}
            return {**numbers, "event": "progress", **progress}
        case JobSegments():
            return {**numbers, "event": "segments", "segments": [segment_to_dict(item) for item in event.segments]}


def _error_to_dict(error: TiroError) -> dict[str, Any]:
    return {"reason": error.reason, "code": error.code.name, "message": error.message}


def segment_to_dict(segment: Segment) -> dict[str, Any]:
    """A segment: times in seconds."""
    return {
        "text": segment.text,
        "start_seconds": round(segment.start_seconds, _SECONDS_DIGITS),
        "end_seconds": round(segment.end_seconds, _SECONDS_DIGITS),
        "language": segment.language,
        "words": [
            {
                "text": word.text,
                "start_seconds": round(word.start_seconds, _SECONDS_DIGITS),
                "end_seconds": round(word.end_seconds, _SECONDS_DIGITS),
                "confidence": _rounded(word.confidence),
            }
            for word in segment.words
        ],
    }


def _rounded(probability: float | None) -> float | None:
    # It is a 32-bit float: further digits are noise.
    return None if probability is None else round(probability, _CONFIDENCE_DIGITS)
