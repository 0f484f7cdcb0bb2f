"""A process that serves calls, watched: whether it works, and whether it says so."""

from dataclasses import dataclass

from tests.support.cluster.probes import Probe


@dataclass(frozen=True, slots=True)
class Watched:
    """One process."""

    name: str
    works: Probe
    """Finds out whether it works."""
    health: Probe
    """Asks it whether it can serve."""

    def outage_seconds(self, since: float, until: float) -> float:
        """The longest part of a span in which it did not work. Monotonic seconds."""
        return max(end - begin for begin, end in self.works.outages(since, until))

    def false_health_seconds(self, since: float, until: float) -> float:
        """The longest part of a span in which it did not work, and said all the time that it can serve."""
        longest = 0.0
        for begin, end in self.works.outages(since, until):
            serving_since = begin
            for said in self.health.ended_between(begin, end):
                if said.error:
                    serving_since = said.ended
                longest = max(longest, said.ended - serving_since)
        return longest
