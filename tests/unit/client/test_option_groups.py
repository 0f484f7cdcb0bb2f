"""Groups of options of the command, and the options of the library that they set."""

from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from tiro_client import AsyncClient, JobOptions, LiveConfig, Recognition, RecognitionOptions
from tiro_client.cli.option_groups import with_option_groups
from tiro_client.cli.recognition_arguments import RecognitionArguments
from tiro_client.cli.transcribe.job_arguments import JobArguments


@dataclass(frozen=True, slots=True, kw_only=True)
class _Color:
    color: Annotated[str, typer.Option("--color", "-c", help="The color.")] = "red"
    dark: Annotated[bool, typer.Option("--dark")] = False


def test_a_command_gets_its_group_from_the_options() -> None:
    """A command has the options of its group besides its own, with their names, help and defaults."""
    called: list[tuple[str, _Color, int]] = []
    app = typer.Typer()

    @app.command()
    @with_option_groups
    def paint(wall: str, *, color: _Color, coats: int = 1) -> None:
        """Paint a wall."""
        called.append((wall, color, coats))

    runner = CliRunner()
    assert runner.invoke(app, ["north"]).exit_code == 0
    assert runner.invoke(app, ["south", "-c", "blue", "--dark", "--coats", "2"]).exit_code == 0
    assert called == [("north", _Color(), 1), ("south", _Color(color="blue", dark=True), 2)]
    shown = runner.invoke(app, ["--help"]).output
    assert "Paint a wall." in shown
    assert "The color." in shown


def test_recognition_options_are_the_fields_of_recognition() -> None:
    """Keyword arguments of the client, fields of `LiveConfig`, and the command's options have the same names."""
    names = {field.name for field in fields(Recognition)}
    assert RecognitionOptions.__annotations__.keys() == names
    assert names <= {field.name for field in fields(LiveConfig)}
    assert {field.name for field in fields(RecognitionArguments)} <= names
    assert Recognition(**RecognitionArguments().keywords()) == Recognition()


def test_job_arguments_are_job_options() -> None:
    """Each option of the command is an option of the library."""
    arguments = JobArguments(start_seconds=1.5, translate=True)
    assert asdict(arguments).items() <= asdict(arguments.job_options()).items()
    assert arguments.job_options() == JobOptions(start_seconds=1.5, translate=True, lane=arguments.lane)


async def test_a_misspelled_option_is_refused() -> None:
    """A keyword argument that is no field of `Recognition` is refused, as Python does for every other function."""
    misspelled: dict[str, Any] = {"modle": "base"}
    with pytest.raises(TypeError, match="modle"):
        AsyncClient("127.0.0.1:1").stream(_silence(), **misspelled)
    with pytest.raises(TypeError, match="modle"):
        await AsyncClient("127.0.0.1:1").submit(b"", **misspelled)


async def _silence() -> AsyncGenerator[bytes, None]:
    yield b""
