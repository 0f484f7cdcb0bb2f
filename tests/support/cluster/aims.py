"""What must be true of a trial: the promises of a cluster, as figures."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.cluster.errors import is_internal
from tests.support.cluster.figures import Figures

WORD_GAP_SECONDS_MAX = 10.0
"""The longest time without a new word, whatever happens to a node that its peers and clients know to be gone: an
election takes 4 to 9 s. This and the next are promises about time, and therefore what the long tests are for."""
BACK_SECONDS_MAX = 15.0
"""How soon a service works again whose node has gone silent: 10 s until it knows, by pings, and the way to another."""


@dataclass(frozen=True, slots=True)
class Aims:
    """The bounds of one trial. All else is the same for all: nothing lost, nothing doubled, nothing unexplained."""

    word_gap_seconds: float = WORD_GAP_SECONDS_MAX
    """The longest time without a new word."""
    back_seconds: float = BACK_SECONDS_MAX
    """The longest time in which plain calls and new sessions do not work."""
    sessions_may_end_with: frozenset[str] = frozenset()
    """The errors, as `errors.label` names them, that sessions may be ended with."""


SILENT = Aims(word_gap_seconds=BACK_SECONDS_MAX)
"""Of silent nodes: speakers wait like all others until that is noticed."""


def without_majority(seconds: float) -> Aims:
    """Where there is no majority of nodes for a time, nothing can work in it. It is added to all bounds."""
    return Aims(seconds + BACK_SECONDS_MAX, seconds + BACK_SECONDS_MAX)


def require(figures: Figures, aims: Aims) -> None:
    """Check every promise.

    Raises:
        AssertionError: Some were not kept; the message names them all.
    """
    broken = [
        *_jobs(figures),
        *_live(figures, aims),
        *_outages(figures, aims),
        *_health(figures),
        *_store(figures),
        *_services(figures),
    ]
    assert not broken, "\n".join(["these promises were not kept:", *broken])


def _jobs(figures: Figures) -> list[str]:
    return _named(
        {
            "callers were told INTERNAL": _internal(figures.jobs.errors),
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
            "probes were told INTERNAL": probed,
        }
    )


def _health(figures: Figures) -> list[str]:
    return [
        f"{name} said SERVING for {seconds:.1f} s without working (at most {BACK_SECONDS_MAX:g}) after {outage.fault}"
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
            "jobs are there that nobody asked for": audit.doubled,
            "jobs have not ended": audit.not_over,
            "jobs did not succeed": dict(audit.failed),
            "histories have gaps, or not one end": audit.histories,
            "transcripts are wrong, or not one": audit.transcripts,
            "blobs belong to nothing": audit.orphans,
            "queues are not empty": audit.queued,
            "messages of live audio are left": audit.audio_left,
            "sessions are not over": audit.sessions_open,
            "jobs were given up": audit.dead_letters,
        }
    )


def _services(figures: Figures) -> list[str]:
    return _named({"services ended by themselves": figures.services.ended})


def _internal(errors: Counter[str]) -> dict[str, int]:
    return {error: count for error, count in errors.items() if is_internal(error)}


def _named(found: Mapping[str, object]) -> list[str]:
    return [f"{name}: {what}" for name, what in found.items() if what]
