"""The progress of each file: a bar on a terminal, else only the lines that explain a delay."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

from tiro_client.cli.console import clock
from tiro_client.cli.transcribe.recordings import Recording, displayed

_MEGABYTE = 1_000_000
BAR_COLUMNS = 12
NAME_COLUMNS_MAX = 24
"""Columns of a recording's name: the rest of a line of 80 has the bar, what is done, and the time left."""
RATE_SECONDS_MIN = 1.0
"""How long a job must have run before its rate says when it ends."""


class _TimeLeft(ProgressColumn):
    """The time that a job still takes at its rate so far. It counts down between two reports of the service."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """The time left. Empty where it is not known."""
        ends = task.fields.get("ends")
        if ends is None:
            return Text()
        minutes, seconds = divmod(max(0, round(ends - time.monotonic())), 60)
        return Text(f"{minutes}:{seconds:02} left")


class ProgressBoard:
    """The progress bars of all active files. Use as a context manager.

    Args:
        console: The console to draw on. Bars are only drawn on a terminal.
        quiet: Whether only errors are printed.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console = console
        self._quiet = quiet
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(BAR_COLUMNS),
            TextColumn("{task.fields[stage]}", markup=False),
            _TimeLeft(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def file(self, recording: Recording) -> "FileProgress":
        """A progress bar for one more file."""
        return FileProgress(self, self._bars, recording)

    def note(self, text: str) -> None:
        """Print a line above the bars, unless only errors are wanted."""
        if not self._quiet:
            self.console.print(text)

    def error(self, text: str) -> None:
        """Print a line above the bars."""
        self.console.print(text)

    def text(self, text: str) -> None:
        """Print a part of a transcript above the bars, on the terminal that has both."""
        self.console.out(text, end="", highlight=False)


class FileProgress:
    """The progress bar of one file. Use as a context manager: it is removed at the end."""

    def __init__(self, board: ProgressBoard, bars: Progress, recording: Recording) -> None:
        self._board = board
        self._bars = bars
        self._recording = recording
        self._task: TaskID | None = None
        self._waiting_for = ""
        self._begun: tuple[float, float] | None = None
        """When the job was first seen running, and how much was transcribed then."""

    def __enter__(self) -> Self:
        self._task = self._bars.add_task(_short_name(self._recording), total=None, stage="", ends=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)

    def uploading(self, sent_bytes: int, total_bytes: int) -> None:
        """Show the upload."""
        stage = f"upload {sent_bytes / _MEGABYTE:.1f} of {total_bytes / _MEGABYTE:.1f} MB"
        self._show(stage, sent_bytes, total_bytes)

    def fetching(self, fetched_bytes: int) -> None:
        """Show how much of the recording the service has fetched."""
        self._show(f"fetched {fetched_bytes / _MEGABYTE:.1f} MB", 0, None)

    def queued(self, waiting_for: str) -> None:
        """Show what the job waits for besides a free worker."""
        self._show("queued", 0, None)
        if waiting_for and waiting_for != self._waiting_for:
            # There may be no bar, and its line has no room for the whole sentence.
            self._board.note(f"{displayed(self._recording)}: waiting for {waiting_for}")
        self._waiting_for = waiting_for

    def running(self, transcribed_seconds: float, audio_seconds: float) -> None:
        """Show how much is transcribed, and how long the rest takes at this rate."""
        now = time.monotonic()
        if self._begun is None or transcribed_seconds < self._begun[1]:
            self._begun = (now, transcribed_seconds)
        elapsed, done = now - self._begun[0], transcribed_seconds - self._begun[1]
        ends = None
        if elapsed >= RATE_SECONDS_MIN and done > 0:
            ends = now + (audio_seconds - transcribed_seconds) * elapsed / done
        stage = f"{clock(transcribed_seconds)} of {clock(audio_seconds)}"
        self._show(stage, transcribed_seconds, audio_seconds or None, ends)

    def _show(self, stage: str, completed: float, total: float | None, ends: float | None = None) -> None:
        if self._task is not None:
            self._bars.update(self._task, stage=stage, completed=completed, total=total, ends=ends)


def _short_name(recording: Recording) -> str:
    """The end of a recording's name."""
    name = displayed(recording).rstrip("/").rpartition("/")[2]
    if len(name) <= NAME_COLUMNS_MAX:
        return name
    return "\N{HORIZONTAL ELLIPSIS}" + name[1 - NAME_COLUMNS_MAX :]
