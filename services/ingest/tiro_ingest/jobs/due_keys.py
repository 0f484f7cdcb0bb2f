"""The keys of records by their due times."""

from collections.abc import Iterator

from sortedcontainers import SortedSet


class DueKeys:
    """Keys by their due times, each once."""

    def __init__(self) -> None:
        self._by_time: SortedSet[tuple[int, str]] = SortedSet()
        self._times: dict[str, int] = {}

    def schedule(self, key: str, due_ns: int) -> None:
        """Set the due time of a key, in nanoseconds of Unix time. It replaces an earlier one."""
        self.discard(key)
        self._by_time.add((due_ns, key))
        self._times[key] = due_ns

    def discard(self, key: str) -> None:
        """Remove a key, if it is scheduled."""
        due_ns = self._times.pop(key, None)
        if due_ns is not None:
            self._by_time.discard((due_ns, key))

    def take_due(self, now_ns: int) -> Iterator[str]:
        """Remove and yield the keys that are due, the earliest first."""
        while self._by_time and self._by_time[0][0] <= now_ns:
            key = self._by_time[0][1]
            self.discard(key)
            yield key
