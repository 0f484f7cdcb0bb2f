"""Processes that were forked while a connection was open: gRPC does not work in them, and its calls never end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

FORKED = (
    "this process was forked while a client was open, so gRPC does not work in it: open clients after the fork, or "
    "start processes with `spawn`"
)

_open = set[object]()
"""An object for each open set of connections. Adding and removing one is atomic."""
_unusable = False


@contextmanager
def connections_open() -> Iterator[None]:
    """Around the time for which connections are open.

    Raises:
        RuntimeError: This process was forked while connections were open.
    """
    if _unusable:
        raise RuntimeError(FORKED)
    these = object()
    _open.add(these)
    try:
        yield
    finally:
        _open.discard(these)


def _after_fork() -> None:
    global _unusable  # noqa: PLW0603 - it is the process that is unusable
    _unusable = _unusable or bool(_open)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork)
