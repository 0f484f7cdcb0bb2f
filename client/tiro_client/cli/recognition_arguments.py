"""The options that say what to recognize speech with, for recordings and live speech."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognitionArguments:
    """Options of a command. The fields are named as those of `tiro_client.Recognition`."""

    engine: Annotated[str, typer.Option("--engine", help="Engine. Default: the deployment's.")] = ""
    model: Annotated[str, typer.Option("--model", "-m", help="Model of the engine. Default: the deployment's.")] = ""
    language: Annotated[
        str,
        typer.Option(
            "--language", "-l", help="Spoken language, such as `en`. Default: it is detected, if the model can."
        ),
    ] = ""
    hotwords: Annotated[
        list[str] | None, typer.Option("--hotword", help="Word or phrase that is likely to occur. Can be repeated.")
    ] = None
    region: Annotated[
        str,
        typer.Option(
            "--region",
            help="Region in which a cloud engine processes the audio, such as `eu-west-1`. Default: the deployment's.",
        ),
    ] = ""

    def keywords(self) -> dict[str, Any]:
        """The options as keyword arguments, for `Recognition` and for the methods of the client."""
        return {**asdict(self), "hotwords": self.hotwords or ()}
