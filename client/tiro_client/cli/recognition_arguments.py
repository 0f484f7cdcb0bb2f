"""The options of recognition, for recordings and live speech."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
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
            "--language",
            "-l",
            help="Spoken language, such as `en` or `en-US`. Default: it is detected, if the model can.",
        ),
    ] = ""
    candidate_languages: Annotated[
        list[str] | None,
        typer.Option(
            "--candidate-language", help="Language among which the spoken one is detected. Repeated: at least two."
        ),
    ] = None
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

    replacements: Annotated[
        list[str] | None,
        typer.Option(
            "--replace",
            metavar="PHRASE=TEXT",
            help="Word or phrase of the transcript, and the text that replaces it; or @FILE with one such pair a line. "
            "Can be repeated.",
        ),
    ] = None

    def keywords(self) -> dict[str, Any]:
        """The options as keyword arguments, for `Recognition` and for the methods of the client.

        Raises:
            typer.BadParameter: A replacement is no pair, or its file cannot be read.
        """
        return {
            **asdict(self),
            "candidate_languages": self.candidate_languages or (),
            "hotwords": self.hotwords or (),
            "replacements": parse_replacements(self.replacements or ()),
        }


def parse_replacements(given: Iterable[str]) -> dict[str, str]:
    """The replacements of `--replace` options. Of two for one phrase the later one counts.

    Args:
        given: Each `PHRASE=TEXT`, or `@FILE`: a file in UTF-8 with a pair on each line that is not empty.

    Raises:
        typer.BadParameter: One is no pair, or a file cannot be read.
    """
    replacements: dict[str, str] = {}
    for item in given:
        if item.startswith("@"):
            lines = _lines_of(Path(item[1:]))
            replacements.update(_pair(line, f"line {number} of {item[1:]}") for number, line in lines)
        else:
            replacements.update([_pair(item, repr(item))])
    return replacements


def _lines_of(path: Path) -> list[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _bad_replacement(f"{path} cannot be read: {error}") from None
    return [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _pair(pair: str, source: str) -> tuple[str, str]:
    phrase, equals, text = pair.partition("=")
    if not equals or not phrase.strip() or not text.strip():
        raise _bad_replacement(f"{source} is not PHRASE=TEXT")
    return phrase.strip(), text.strip()


def _bad_replacement(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint="--replace")
