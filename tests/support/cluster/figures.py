"""The figures of a trial: results of its callers, speakers, probes, services and audit."""

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster.audit import Audit
from tests.support.cluster.callers import Callers
from tests.support.cluster.deployment import Deployment
from tests.support.cluster.speakers import Speaker

_LISTED_MAX = 20
"""Limit of the items that are written of a list."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """Results of callers."""

    accepted: int
    given_up: int
    slowest_submit_seconds: float
    errors: Counter[str]
    """Errors before the acceptance, by label."""


@dataclass(frozen=True, slots=True)
class Live:
    """Results of speakers. Words are those of completed sessions."""

    completed: int
    """Sessions without an error."""
    resumed: int
    """Number of resumes."""
    refused: Counter[str]
    """Sessions that were not started, by error."""
    ended: Counter[str]
    """Sessions that were started and ended by an error, by error."""
    words_spoken: int
    words_lost: list[str]
    words_repeated: list[str]
    sessions_out_of_order: int
    gap_seconds: list[float]
    """The longest time without a new word, of each session."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One fault, and the outages that followed."""

    fault: str
    nodes: str
    """Names of the nodes that it hit."""
    because: str
    """Why those nodes: what they led."""
    lasted_seconds: float
    healthy_seconds: float
    """From the end of the fault until all nodes were healthy again."""
    clients: list[str]
    """Clients that were connected to those nodes."""
    outage_seconds: dict[str, float]
    """The longest outage of each probe, from the start of the fault until the next one."""
    false_health_seconds: dict[str, float]
    """The longest time in which a process did not work and reported SERVING."""


@dataclass(frozen=True, slots=True)
class Services:
    """Results of the processes."""

    exited: list[str]
    """Processes that exited unasked."""
    log_errors: Counter[str]
    """Errors in their logs, by service and event."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a trial."""

    jobs: Jobs
    live: Live
    outages: list[Outage]
    probe_errors: dict[str, Counter[str]]
    services: Services
    audit: Audit

    def to_json(self) -> str:
        """JSON, with long lists cut."""
        return json.dumps(_plain(self), indent=2)

    def save(self, file: Path) -> None:
        """Write them to a file and to the test's output."""
        file.write_text(self.to_json())
        print(self.to_json())  # noqa: T201 - pytest shows it when the test fails, or with -rP


def of_jobs(callers: Callers) -> Jobs:
    """Sum up callers."""
    slowest = max((accepted.seconds for accepted in callers.accepted), default=0.0)
    return Jobs(len(callers.accepted), callers.given_up, round(slowest, 1), callers.errors)


def of_live(speakers: Sequence[Speaker]) -> Live:
    """Sum up speakers."""
    sessions = [session for speaker in speakers for session in speaker.sessions]
    completed = [session for session in sessions if not session.error]
    return Live(
        completed=len(completed),
        resumed=sum(session.resumed for session in sessions),
        refused=Counter(session.error for session in sessions if session.error and not session.started),
        ended=Counter(session.error for session in sessions if session.error and session.started),
        words_spoken=sum(len(session.spoken) for session in completed),
        words_lost=[word for session in completed for word in session.lost],
        words_repeated=[word for session in completed for word in session.repeated],
        sessions_out_of_order=sum(session.out_of_order for session in completed),
        gap_seconds=sorted(round(session.longest_gap_seconds, 1) for session in completed),
    )


def of_services(deployment: Deployment) -> Services:
    """Sum up processes."""
    errors = Counter(
        f"{member.service}: {line.get('event')}"
        for member in deployment.members
        for log in member.logs
        for line in log
        if line.get("level") in ("error", "critical")
    )
    return Services([f"{each.name} ({each.status}): {each.last_line}" for each in deployment.exited], errors)


def _plain(value: object) -> object:
    """A value of JSON's types."""
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() if len(value) > _LISTED_MAX:
            return [*map(_plain, value[:_LISTED_MAX]), f"... {len(value)} in all"]
        case list():
            return [_plain(item) for item in value]
        case float():
            return round(value, 2)
        case str() | int():
            return value
    if not dataclasses.is_dataclass(value):
        raise TypeError(f"no figure: {value!r}")
    return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
