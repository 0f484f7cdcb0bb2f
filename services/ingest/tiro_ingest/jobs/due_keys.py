"""Keys of records by the time when they are due."""

from collections.abc import Iterator

from sortedcontainers import SortedSet


class DueKeys:
    """Keys by the time when they are due, each once."""

    def __init__(self) -> None:
        self._by_time: SortedSet[tuple[int, str]] = SortedSet()
        self._times: dict[str, int] = {}

    def schedule(self, key: str, due_ns: int) -> None:
        """Note when a key is due, in nanoseconds of Unix time, in place of what was noted before."""
        self.discard(key)
        self._by_time.add((due_ns, key))
        self._times[key] = due_ns

    def discard(self, key: str) -> None:
        """Forget a key. Nothing happens where it is not noted."""
        due_ns = self._times.pop(key, None)
        if due_ns is not None:
            self._by_time.discard((due_ns, key))

    def take_due(self, now_ns: int) -> Iterator[str]:
        """The keys that are due by now, the earliest first. Each is forgotten as it is given out."""
        while self._by_time and self._by_time[0][0] <= now_ns:
            key = self._by_time[0][1]
            self.discard(key)
            yield key
