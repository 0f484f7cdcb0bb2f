"""Live events for programs: a line of JSON for each."""

import re
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from tiro_client.cli.console import print_json
from tiro_client.live.events import AudioAck, LiveEvent

SECONDS_DIGITS = 3
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class JsonView:
    """A line for each event, partials included. Acknowledgements of audio are left out: they concern the sender."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._console.file.flush()

    def show(self, event: LiveEvent) -> None:
        """Print an event."""
        if not isinstance(event, AudioAck):
            print_json(self._console, event_to_dict(event))
            self._console.file.flush()


def event_to_dict(event: LiveEvent) -> dict[str, Any]:
    """An event as plain data: its kind under `event`, as in `session_started`, and its fields. Times are seconds."""
    kind = _WORD.sub("_", type(event).__name__).lower()
    return {"event": kind, **_rounded(asdict(event))}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, SECONDS_DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
