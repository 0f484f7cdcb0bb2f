"""The order of waiting jobs: by lane, then fairly among tenants, then by age."""

import heapq
import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tiro.transcription.v1.transcription_pb2 import Transcription

LANES = (
    Transcription.LANE_INTERACTIVE,
    Transcription.LANE_STANDARD,
    Transcription.LANE_DEFERRED,
)
"""The lanes in the order in which they are served. A later one waits while an earlier one has jobs."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that waits for its first worker."""

    key: str
    tenant: str
    lane: "Transcription.Lane.ValueType"
    job_id: str


class FairQueue:
    """The jobs that wait for one engine and model.

    The next job is one of the tenant with the fewest jobs under way; among equals, of the tenant that was served
    longest ago. So the single job of a tenant waits for a free slot, and not for ten thousand jobs of another tenant.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Waiting] = {}
        self._ids: dict[tuple[Transcription.Lane.ValueType, str], list[tuple[str, str]]] = {}
        self._served: dict[str, int] = {}
        self._turns = itertools.count(1)
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._jobs)

    def count(self, tenant: str) -> int:
        """The number of waiting jobs of a tenant."""
        return self._counts[tenant]

    def put(self, job: Waiting) -> None:
        """Add a job, unless it waits already."""
        if job.key not in self._jobs:
            self._jobs[job.key] = job
            self._counts[job.tenant] += 1
            heapq.heappush(self._ids.setdefault((job.lane, job.tenant), []), (job.job_id, job.key))

    def discard(self, key: str) -> None:
        """Remove a job, if it waits."""
        job = self._jobs.pop(key, None)
        if job is not None:
            self._counts[job.tenant] -= 1
            if not self._counts[job.tenant]:
                del self._counts[job.tenant]

    def take(self, under_way: Mapping[str, int]) -> Waiting | None:
        """Take the next job out of the queue. None when it is empty.

        Args:
            under_way: The number of each tenant's jobs that workers have, or that are enqueued for them.
        """
        for lane in LANES:
            tenants = [tenant for tenant in self._tenants(lane) if self._oldest(lane, tenant) is not None]
            if tenants:
                chosen = min(tenants, key=lambda tenant: (under_way.get(tenant, 0), self._served.get(tenant, 0)))
                return self._take_from(lane, chosen)
        self._served.clear()
        return None

    def _tenants(self, lane: "Transcription.Lane.ValueType") -> list[str]:
        return [tenant for queued_lane, tenant in self._ids if queued_lane == lane]

    def _oldest(self, lane: "Transcription.Lane.ValueType", tenant: str) -> str | None:
        """The key of the tenant's oldest job in the lane. Jobs that were removed are dropped."""
        ids = self._ids[lane, tenant]
        while ids and ids[0][1] not in self._jobs:
            heapq.heappop(ids)
        if not ids:
            del self._ids[lane, tenant]
            return None
        return ids[0][1]

    def _take_from(self, lane: "Transcription.Lane.ValueType", tenant: str) -> Waiting:
        _, key = heapq.heappop(self._ids[lane, tenant])
        self._served[tenant] = next(self._turns)
        job = self._jobs[key]
        self.discard(key)
        return job
