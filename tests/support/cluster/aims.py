"""The aims of a trial: what a cluster promises, as bounds on figures."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.cluster.errors import is_internal
from tests.support.cluster.figures import Figures

WORD_GAP_SECONDS_MAX = 10.0
"""The longest time without a new word after a fault that peers and clients notice at once: an election takes 4 to 9 s.
This bound and the next are promises to users, so the long tests assert elapsed time."""
BACK_SECONDS_MAX = 15.0
"""The longest outage of a service whose node is silent: 10 s to detect it by pings, and a reconnect."""


@dataclass(frozen=True, slots=True)
class Aims:
    """Bounds of one trial. The other aims are the same for all trials: nothing lost, nothing doubled, no INTERNAL."""

    word_gap_seconds: float = WORD_GAP_SECONDS_MAX
    """The longest time without a new word."""
    back_seconds: float = BACK_SECONDS_MAX
    """The longest outage of plain calls and of new sessions."""
    sessions_may_end_with: frozenset[str] = frozenset()
    """Labels of the errors that may end sessions."""


SILENT = Aims(word_gap_seconds=BACK_SECONDS_MAX)
"""For silent nodes: words also wait until the silence is detected."""


def without_majority(seconds: float) -> Aims:
    """For a fault that leaves no majority of nodes for some seconds: they are added to both bounds."""
    return Aims(seconds + BACK_SECONDS_MAX, seconds + BACK_SECONDS_MAX)


def require(figures: Figures, aims: Aims) -> None:
    """Check all aims.

    Raises:
        AssertionError: Some are missed; the message names them all.
    """
    broken = [
        *_jobs(figures),
        *_live(figures, aims),
        *_outages(figures, aims),
        *_health(figures),
        *_store(figures),
        *_services(figures),
    ]
    assert not broken, "\n".join(["missed aims:", *broken])


def _jobs(figures: Figures) -> list[str]:
    return _named(
        {
            "callers got INTERNAL": _internal(figures.jobs.errors),
            "callers gave up": figures.jobs.given_up,
        }
    )


def _live(figures: Figures, aims: Aims) -> list[str]:
    live = figures.live
    slow = [gap for gap in live.gap_seconds if gap > aims.word_gap_seconds]
    probed = {name: internal for name, errors in figures.probe_errors.items() if (internal := _internal(errors))}
    return _named(
        {
            "sessions were ended by an error": {
                error: count for error, count in live.ended.items() if error not in aims.sessions_may_end_with
            },
            "words were lost": live.words_lost,
            "words were repeated": live.words_repeated,
            "sessions had words out of order": live.sessions_out_of_order,
            f"sessions had no new word for more than {aims.word_gap_seconds:g} s": slow,
            "probes got INTERNAL": probed,
        }
    )


def _health(figures: Figures) -> list[str]:
    return [
        f"{name} reported SERVING for {seconds:.1f} s of an outage (at most {BACK_SECONDS_MAX:g}) after {outage.fault}"
        for outage in figures.outages
        for name, seconds in outage.false_health_seconds.items()
        if seconds > BACK_SECONDS_MAX
    ]


def _outages(figures: Figures, aims: Aims) -> list[str]:
    return [
        f"{probe} did not work for {seconds:.1f} s (at most {aims.back_seconds:g}) after {outage.fault} {outage.nodes}"
        for outage in figures.outages
        for probe, seconds in outage.outage_seconds.items()
        if seconds > aims.back_seconds
    ]


def _store(figures: Figures) -> list[str]:
    audit = figures.audit
    return _named(
        {
            "accepted jobs are lost": audit.lost,
            "jobs exist that no caller was given": audit.doubled,
            "jobs have not ended": audit.not_over,
            "jobs did not succeed": dict(audit.failed),
            "event logs have gaps, or not one terminal event": audit.histories,
            "transcripts are wrong, or not stored once": audit.transcripts,
            "blobs have no owner": audit.orphans,
            "queues are not empty": audit.queued,
            "messages of live audio are left": audit.audio_left,
            "sessions are not over": audit.sessions_open,
            "jobs were given up": audit.dead_letters,
        }
    )


def _services(figures: Figures) -> list[str]:
    return _named({"processes exited unasked": figures.services.exited})


def _internal(errors: Counter[str]) -> dict[str, int]:
    return {error: count for error, count in errors.items() if is_internal(error)}


def _named(found: Mapping[str, object]) -> list[str]:
    return [f"{name}: {what}" for name, what in found.items() if what]
