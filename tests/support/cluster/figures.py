"""The figures of a trial: what its callers, speakers, probes and services met, added up."""

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
"""How much of a list is written out."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """What callers met."""

    accepted: int
    given_up: int
    slowest_submit_seconds: float
    errors: Counter[str]
    """What they were told before they were taken."""


@dataclass(frozen=True, slots=True)
class Live:
    """What speakers met. Words are those of sessions that came to their own end."""

    completed: int
    """Sessions that came to their own end."""
    resumed: int
    """Connections that were replaced."""
    refused: Counter[str]
    """Sessions that did not begin, by error."""
    ended: Counter[str]
    """Sessions that were ended, by error."""
    words_spoken: int
    words_lost: list[str]
    words_repeated: list[str]
    sessions_out_of_order: int
    gap_seconds: list[float]
    """The longest time without a new word, of each session."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One fault, and for how long what did not work."""

    fault: str
    nodes: str
    """Which nodes it hit."""
    because: str
    """Why those: what they led."""
    lasted_seconds: float
    healthy_seconds: float
    """From the end of the fault until all nodes were healthy."""
    clients: list[str]
    """Who was connected to those nodes when it came."""
    outage_seconds: dict[str, float]
    """The longest time without success, by probe, from the beginning of the fault until some time after its end."""
    false_health_seconds: dict[str, float]
    """The longest time in which a process did not work, and said all the time that it can serve."""


@dataclass(frozen=True, slots=True)
class Services:
    """What became of the services."""

    ended: list[str]
    """Those that ended by themselves."""
    log_errors: Counter[str]
    """Lines of their logs that are errors, by service and event."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything."""

    jobs: Jobs
    live: Live
    outages: list[Outage]
    probe_errors: dict[str, Counter[str]]
    services: Services
    audit: Audit

    def to_json(self) -> str:
        """As JSON, long lists cut."""
        return json.dumps(_plain(self), indent=2)

    def save(self, file: Path) -> None:
        """Write them to a file, and to the output of the test."""
        file.write_text(self.to_json())
        print(self.to_json())  # noqa: T201 - pytest shows it when the test fails, or with -rP


def of_jobs(callers: Callers) -> Jobs:
    """Add up what callers met."""
    slowest = max((accepted.seconds for accepted in callers.accepted), default=0.0)
    return Jobs(len(callers.accepted), callers.given_up, round(slowest, 1), callers.errors)


def of_live(speakers: Sequence[Speaker]) -> Live:
    """Add up what speakers met."""
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
    """Add up what became of services."""
    errors = Counter(
        f"{member.service}: {line.get('event')}"
        for member in deployment.members
        for log in member.logs
        for line in log
        if line.get("level") in ("error", "critical")
    )
    return Services([f"{each.name} ({each.status}): {each.last_words}" for each in deployment.ended], errors)


def _plain(value: object) -> object:
    """A value as JSON knows it."""
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
