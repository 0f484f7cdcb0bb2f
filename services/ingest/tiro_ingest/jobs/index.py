"""Which open jobs a tenant has, in the order of their creation: the newest part of what a list is made from.

The ids are UUIDv7, so that their order is that of creation. Kept in memory: open jobs are bounded by what may wait.
Jobs that are settled are in the archive.
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
        """A job was written, or deleted."""
        tenant, _, job_id = key.partition(".")
        if "." in job_id or (record is not None and record.shadow_of):  # parts and shadows, which callers do not see
            return
        if record is None or record.removing:
            self._ids[tenant].discard(job_id)
            if not self._ids[tenant]:
                del self._ids[tenant]
        else:
            self._ids[tenant].add(job_id)

    def newest(self, tenant: str, count: int, before: str | None) -> list[str]:
        """At most `count` ids, the newest first; with `before`, of those that are older than this one."""
        if tenant not in self._ids:
            return []
        older = self._ids[tenant].irange(maximum=before, inclusive=(True, False), reverse=True)
        return list(islice(older, count))
