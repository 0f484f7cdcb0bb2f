"""Arguments and options that the commands of `tiro jobs` share."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON per item.")]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Name or bare id of the job.")]
JobArguments = Annotated[list[str], typer.Argument(metavar="JOB...", help="Names or bare ids of jobs.")]
