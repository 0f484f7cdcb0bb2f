"""Live text on a terminal and on other outputs."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from tiro_client.cli.console import clock
from tiro_client.cli.live.view import Bottom, LineView, TerminalView, partial_text, view_on
from tiro_client.live.events import Final, Lag, Partial, SessionResumed, SpeechStarted, WorkerChanged
from tiro_client.transcript import Segment, Word

WORDS = (Word("long", 0.0, 0.3, stable=True), Word("ago", 0.3, 0.5, stable=False))
PARTIAL = Partial(0, Segment("long ago", 0.0, 0.5, WORDS), 1)
FINAL = Final(2, Segment("Long ago in [Rome].", 0.25, 62.5))


def terminal() -> tuple[Console, io.StringIO]:
    """A console that writes as on a terminal, and its output."""
    stream = io.StringIO()
    return Console(file=stream, force_terminal=True, width=60, _environ={"TERM": "xterm"}), stream


def test_stable_words_are_plain_and_the_rest_dim() -> None:
    """Words of a partial that may change are dim."""
    console, _ = terminal()
    dim = {
        piece.text: bool(piece.style and piece.style.dim)
        for piece in console.render(partial_text(PARTIAL.segment))
        if piece.text.strip()
    }
    assert dim == {"long": False, " ago": True}


def test_a_partial_without_words_is_dim() -> None:
    """A partial without words has no stable text."""
    console, _ = terminal()
    pieces = list(console.render(partial_text(Segment("long ago", 0.0, 0.5))))
    assert [bool(piece.style and piece.style.dim) for piece in pieces if piece.text.strip()] == [True]


def test_a_terminal_keeps_finals_only() -> None:
    """At the end of a session the terminal has its finals, and no partial."""
    console, stream = terminal()
    with TerminalView(console) as view:
        view.show(PARTIAL)
        view.show(WorkerChanged(2, 0.0))
        view.show(FINAL)
    shown = stream.getvalue()
    assert "Long ago in [Rome]." in shown
    assert "long" not in shown.partition("Long ago in [Rome].")[2]


def test_a_lag_is_shown_until_it_ends() -> None:
    """The lag of the service is shown beside the partial until it is 0."""
    console, stream = terminal()
    with TerminalView(console) as view:
        view.show(PARTIAL)
        view.show(Lag(0, 2.34))
        view.show(SessionResumed(0, 1.0, 0.5))
        shown = stream.getvalue()
        view.show(Lag(0, 0.0))
        view.show(FINAL)
    assert "2.3 s behind" in shown
    assert "behind" not in stream.getvalue()[len(shown) :].replace("2.3 s behind", "", 1)


def test_without_a_terminal_each_final_is_a_line() -> None:
    """Output that is not a terminal has a line for each final, without escapes, and no other line."""
    stream = io.StringIO()
    with LineView(Console(file=stream, highlight=False)) as view:
        for event in (SpeechStarted(1, 0.2), PARTIAL, FINAL):
            view.show(event)
    assert stream.getvalue() == "[00:00.25 - 01:02.50] Long ago in [Rome].\n"


def test_the_view_follows_the_output() -> None:
    """A terminal gets the view for people, a pipe the one for programs."""
    assert isinstance(view_on(terminal()[0]), TerminalView)
    assert isinstance(view_on(Console(file=io.StringIO())), LineView)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00.00"), (59.999, "01:00.00"), (61.25, "01:01.25"), (3661.5, "1:01:01.50")]
)
def test_clock(seconds: float, text: str) -> None:
    """Times are minutes, seconds and hundredths, with hours when there are any."""
    assert clock(seconds) == text


def bottom(width: int, height: int) -> str:
    """Thirty words at the bottom of a terminal."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, height=height, _environ={"TERM": "xterm"})
    console.print(Bottom(Text(" ".join(f"word{number}" for number in range(30)))))
    return stream.getvalue()


def test_a_long_partial_is_wrapped() -> None:
    """All words of a partial that is wider than the terminal are shown, at their whole length."""
    lines = bottom(width=40, height=24).splitlines()
    assert " ".join(line.strip() for line in lines) == " ".join(f"word{number}" for number in range(30))
    assert all(len(line) <= 40 for line in lines)


def test_the_end_of_a_partial_that_is_higher_than_the_terminal_is_shown() -> None:
    """The newest words stay visible on a very small terminal."""
    shown = bottom(width=20, height=3)
    assert "word29" in shown
    assert "word0 " not in shown
