"""A process under observation: whether it works, and what its health check reports."""

from dataclasses import dataclass

from tests.support.cluster.probes import Probe


@dataclass(frozen=True, slots=True)
class Watched:
    """One process."""

    name: str
    works: Probe
    """An operation that it serves."""
    health: Probe
    """Its health check."""

    def outage_seconds(self, since: float, until: float) -> float:
        """The longest outage within a span. Monotonic seconds."""
        return max(end - begin for begin, end in self.works.outages(since, until))

    def false_health_seconds(self, since: float, until: float) -> float:
        """The longest time of an outage in which its health check reported SERVING throughout."""
        longest = 0.0
        for begin, end in self.works.outages(since, until):
            serving_since = begin
            for check in self.health.ended_between(begin, end):
                if check.error:
                    serving_since = check.ended
                longest = max(longest, check.ended - serving_since)
        return longest
