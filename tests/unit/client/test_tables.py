"""Tables of the command, on narrow terminals and in pipes."""

import io

from rich.console import Console
from rich.table import Column

from tiro_client.cli.tables import print_table

ROWS = (("large-v3-turbo", "a name\nwith two lines", "1"), ("tiny", "", "100"))


def printed(console: Console) -> list[str]:
    """The lines of a table."""
    print_table(console, ("model", "name", Column("jobs", justify="right")), ROWS)
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue().splitlines()


def test_nothing_is_cut_on_a_narrow_terminal() -> None:
    """Each row is one line, which the terminal wraps."""
    lines = printed(Console(file=io.StringIO(), force_terminal=True, width=20, _environ={"TERM": "xterm"}))
    assert lines == [
        "model           name                   jobs",
        "large-v3-turbo  a name with two lines     1",
        "tiny                                    100",
    ]


def test_a_pipe_gets_the_same_text() -> None:
    """There are no frames, colors or trailing blanks."""
    narrow = printed(Console(file=io.StringIO(), width=20))
    assert narrow == printed(Console(file=io.StringIO(), width=200))
