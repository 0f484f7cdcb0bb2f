"""Options that say what to recognize with, shared by the commands that do."""

from typing import Annotated

import typer

Engine = Annotated[str, typer.Option("--engine", help="Engine; the deployment's default when not given.")]
Model = Annotated[str, typer.Option("--model", "-m", help="Model; the deployment's default when not given.")]
Language = Annotated[
    str, typer.Option("--language", "-l", help="Language spoken, as in `en`. Detected when not given, where possible.")
]
Region = Annotated[
    str,
    typer.Option(
        "--region", help="Where a cloud engine may hear it, as in `eu-west-1`; else where the deployment says."
    ),
]
Hotwords = Annotated[
    list[str] | None, typer.Option("--hotword", help="A word or phrase likely to be said. May be repeated.")
]
