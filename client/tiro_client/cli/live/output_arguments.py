"""The options of `tiro listen` and `tiro watch` for what is shown, and where."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from tiro_client.cli.console import results, results_in
from tiro_client.cli.live.json_view import JsonView
from tiro_client.cli.live.view import LiveView, view_on


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOutputArguments:
    """Options of a command."""

    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File that gets the finals too, or with --json the events. Default: none."),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON for each event, partials included.")] = False
    timestamps: Annotated[bool, typer.Option("--timestamps/--no-timestamps", help="Print the times of each final.")] = (
        True
    )
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no notes to stderr, only errors.")] = False

    @contextmanager
    def views(self) -> Iterator[list[LiveView]]:
        """The views for these options, open.

        Raises:
            OSError: The file cannot be written.
        """
        with ExitStack() as stack:
            consoles = [results()]
            if self.output is not None:
                file = stack.enter_context(self.output.open("w", encoding="utf-8", newline="\n"))
                consoles.append(results_in(file))
            yield [
                stack.enter_context(JsonView(one) if self.as_json else view_on(one, timestamps=self.timestamps))
                for one in consoles
            ]
