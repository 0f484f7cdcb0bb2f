"""Arguments and options that the commands of `tiro jobs` share."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON per item.")]
SEQUENCE_MAX = 2**63 - 1
"""The contract's numbers of events have 64 bits."""
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job, or its first or last characters.")]
JobArguments = Annotated[
    list[str], typer.Argument(metavar="JOB...", help="Ids of jobs, or their first or last characters.")
]
