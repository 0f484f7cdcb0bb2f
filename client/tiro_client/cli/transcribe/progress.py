"""The progress of each file: a bar on a terminal, else only the lines that explain a delay."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from tiro_client.cli.console import clock
from tiro_client.cli.transcribe.recordings import Recording, displayed

_MEGABYTE = 1_000_000


class ProgressBoard:
    """The progress bars of all active files. Use as a context manager.

    Args:
        console: The console to draw on. Bars are only drawn on a terminal.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[stage]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
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
        """Print a line above the bars."""
        self.console.print(text)


class FileProgress:
    """The progress bar of one file. Use as a context manager: it is removed at the end."""

    def __init__(self, board: ProgressBoard, bars: Progress, recording: Recording) -> None:
        self._board = board
        self._bars = bars
        self._recording = recording
        self._task: TaskID | None = None
        self._waiting_for = ""

    def __enter__(self) -> Self:
        self._task = self._bars.add_task(displayed(self._recording), total=None, stage="")
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
        self._show(f"queued, waiting for {waiting_for}" if waiting_for else "queued", 0, None)
        if waiting_for and waiting_for != self._waiting_for and not self._board.console.is_terminal:
            # Without bars, nothing else explains the delay.
            self._board.note(f"{displayed(self._recording)}: waiting for {waiting_for}")
        self._waiting_for = waiting_for

    def running(self, transcribed_seconds: float, audio_seconds: float) -> None:
        """Show how much is transcribed."""
        stage = f"{clock(transcribed_seconds)} of {clock(audio_seconds)}"
        self._show(stage, transcribed_seconds, audio_seconds or None)

    def _show(self, stage: str, completed: float, total: float | None) -> None:
        if self._task is not None:
            self._bars.update(self._task, stage=stage, completed=completed, total=total)
