"""The text of a recording on a terminal, while it is made."""

from collections.abc import Callable

from tiro_client.cli.transcribe.rendering import Rendering
from tiro_client.jobs.job_events import JobSegments


class GrowingText:
    """Prints the segments of one job as they come.

    Args:
        rendering: How a segment becomes a line.
        print_text: Prints text above the progress bar.
    """

    def __init__(self, rendering: Rendering, print_text: Callable[[str], None]) -> None:
        self._rendering = rendering
        self._print = print_text
        self._attempt = 0
        self._printed: list[str] = []

    def add(self, event: JobSegments) -> None:
        """Print further segments."""
        if event.attempt != self._attempt:
            if self._printed:
                self._print("(the worker was lost: another one begins again)\n")
            self._attempt, self._printed = event.attempt, []
        for segment in event.segments:
            self._printed.append(self._rendering.line(segment))
            self._print(self._printed[-1])

    def rest_of(self, text: str) -> str:
        """What is left to print of the finished text: nothing, its end, or all of it where it is not as printed."""
        printed = "".join(self._printed)
        if text.startswith(printed):
            return text[len(printed) :]
        return f"(the finished transcript)\n{text}"
