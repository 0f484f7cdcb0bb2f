"""Lines of the log, as the test's own process writes them."""

import asyncio
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog


@contextmanager
def logged(event: str) -> Iterator[asyncio.Event]:
    """Set once a line with this event is logged."""
    found = asyncio.Event()

    def note(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if line["event"] == event:
            found.set()
        return line

    processors = structlog.get_config()["processors"]
    processors.insert(0, note)
    try:
        yield found
    finally:
        processors.remove(note)
