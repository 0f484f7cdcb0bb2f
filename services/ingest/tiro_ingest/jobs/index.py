"""An index of the open jobs of each tenant, in the order of creation. Lists begin with them; the archive follows.

The ids are UUIDv7, so their order is that of creation. The index is in memory: the number of open jobs is bounded by
the limit of waiting jobs. Settled jobs are in the archive.
"""

from collections import defaultdict
from itertools import islice

from sortedcontainers import SortedSet

from tiro.events.v1.transcription_pb2 import TranscriptionRecord


class OpenJobs:
    """The ids of all jobs that are not in the archive, by tenant."""

    def __init__(self) -> None:
        self._ids: defaultdict[str, SortedSet[str]] = defaultdict(SortedSet)

    def on_change(self, key: str, record: TranscriptionRecord | None) -> None:
        """Note that a job was written or deleted (`record` is None)."""
        tenant, _, job_id = key.partition(".")
        if "." in job_id or (record is not None and record.shadow_of):  # parts and shadows, which callers do not see
            return
        if record is None or record.removing:
            self._ids[tenant].discard(job_id)
            if not self._ids[tenant]:
                del self._ids[tenant]
        else:
            self._ids[tenant].add(job_id)

    def has(self, tenant: str, job_id: str) -> bool:
        """Whether a job is known to be open."""
        return job_id in self._ids.get(tenant, ())

    def newest(self, tenant: str, count: int, before: str | None) -> list[str]:
        """At most `count` ids, the newest first; with `before`, only ids that are older than that one."""
        if tenant not in self._ids:
            return []
        older = self._ids[tenant].irange(maximum=before, inclusive=(True, False), reverse=True)
        return list(islice(older, count))
