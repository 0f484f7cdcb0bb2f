"""Which jobs a tenant has, in the order of their creation: what a list is made from.

The ids are UUIDv7, so that their order is that of creation. Kept in memory, because the store cannot give a page of
keys in order: a hundred bytes or so a job, for as long as the job is retained.
"""

from bisect import bisect_left, insort
from collections import defaultdict

from tiro.events.v1.transcription_pb2 import TranscriptionRecord


class JobIndex:
    """The ids of all jobs, by tenant."""

    def __init__(self) -> None:
        self._ids: defaultdict[str, list[str]] = defaultdict(list)

    def on_change(self, key: str, record: TranscriptionRecord | None) -> None:
        """A job was written, or deleted."""
        tenant, _, job_id = key.partition(".")
        if "." in job_id or (record is not None and record.shadow_of):  # parts and shadows, which callers do not see
            return
        if record is None or record.removing:
            self._discard(tenant, job_id)
        else:
            self.add(tenant, job_id)

    def add(self, tenant: str, job_id: str) -> None:
        """Note a job, which may be known already."""
        ids = self._ids[tenant]
        if not ids or job_id > ids[-1]:
            ids.append(job_id)
        elif not _has(ids, job_id):
            insort(ids, job_id)

    def newest(self, tenant: str, count: int, before: str | None) -> list[str]:
        """At most `count` ids, the newest first; with `before`, of those that are older than this one."""
        ids = self._ids.get(tenant, [])
        end = len(ids) if before is None else bisect_left(ids, before)
        return ids[max(0, end - count) : end][::-1]

    def _discard(self, tenant: str, job_id: str) -> None:
        ids = self._ids.get(tenant, [])
        if _has(ids, job_id):
            del ids[bisect_left(ids, job_id)]
        if not ids:
            self._ids.pop(tenant, None)


def _has(ids: list[str], job_id: str) -> bool:
    position = bisect_left(ids, job_id)
    return position < len(ids) and ids[position] == job_id
