"""Live text: on a terminal partials are overwritten, and finals stay; elsewhere there is a line for each final."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from tiro_client.cli.console import clock
from tiro_client.live.events import EngineChanged, Final, Lag, LiveEvent, Partial, SessionResumed, WorkerChanged
from tiro_client.transcript import Segment

UNSTABLE_STYLE = "dim"
LAG_STYLE = "yellow"
REFRESH_PER_SECOND = 10


class LiveView(Protocol):
    """Shows the events of a live session. A context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def show(self, event: LiveEvent) -> None:
        """Show one event, if it has something to show."""


class TerminalView:
    """For terminals: the partial is at the bottom, until its final replaces it."""

    def __init__(self, console: Console, *, timestamps: bool = True) -> None:
        self._live = Live(console=console, transient=True, refresh_per_second=REFRESH_PER_SECOND)
        self._timestamps = timestamps
        self._partial = Text()
        self._behind_seconds = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.update(Text())
        self._live.stop()

    def show(self, event: LiveEvent) -> None:
        """Replace the partial, or print a final above it."""
        match event:
            case Partial(segment=segment):
                self._draw(partial_text(segment))
            case Final(segment=segment):
                # At once: printing would redraw the old partial below the final that replaces it.
                self._draw(Text(), at_once=True)
                self._live.console.print(final_line(segment, timestamps=self._timestamps), soft_wrap=True)
            case WorkerChanged() | EngineChanged() | SessionResumed():
                # The partial is void. The next one follows soon.
                self._draw(Text(), at_once=True)
            case Lag(behind_seconds=seconds):
                self._behind_seconds = seconds
                self._draw(self._partial)

    def _draw(self, partial: Text, *, at_once: bool = False) -> None:
        """Draw the bottom: the partial, and the lag if there is one."""
        self._partial = partial
        lag = Text(f"  {self._behind_seconds:.1f} s behind", style=LAG_STYLE) if self._behind_seconds else Text()
        self._live.update(Bottom(partial + lag), refresh=at_once)


class Bottom:
    """Text at the bottom of a terminal: wrapped at words, and only its end where it is higher than the terminal."""

    def __init__(self, text: Text) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._text:
            lines = self._text.wrap(console, options.max_width, overflow="fold")
            yield from lines[-max(1, console.height - 1) :]


class LineView:
    """For pipes and files: one line per final, nothing else."""

    def __init__(self, console: Console, *, timestamps: bool = True) -> None:
        self._console = console
        self._timestamps = timestamps

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._console.file.flush()

    def show(self, event: LiveEvent) -> None:
        """Print a final."""
        if isinstance(event, Final):
            self._console.print(final_line(event.segment, timestamps=self._timestamps).plain)
            self._console.file.flush()


def view_on(console: Console, *, timestamps: bool = True) -> LiveView:
    """The view for a console: depends on whether it is a terminal."""
    view = TerminalView if console.is_terminal else LineView
    return view(console, timestamps=timestamps)


def final_line(segment: Segment, *, timestamps: bool = True) -> Text:
    """A final, with its times if they are wanted."""
    times = f"[{clock(segment.start_seconds)} - {clock(segment.end_seconds)}] " if timestamps else ""
    return Text(times, style="cyan").append(Text(segment.text.strip(), style="default"))


def partial_text(segment: Segment) -> Text:
    """A partial, with stable words in plain style and the rest dim."""
    text = Text(segment.text.strip(), style=UNSTABLE_STYLE)
    position = 0
    for word in segment.words:
        found = text.plain.find(word.text, position)
        if found < 0:
            break
        position = found + len(word.text)
        if word.stable:
            text.stylize("not dim", found, position)
    return text
