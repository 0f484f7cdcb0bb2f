"""Commands of other packages: installed, missing or broken."""

import sys
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

import pytest
import typer

from tiro_client.cli import exit_codes, plugins
from tiro_client.cli.main import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The fake installed entry points: name to object reference."""
    found: dict[str, str] = {}

    def fake_entry_points(*, group: str) -> list[EntryPoint]:
        return [EntryPoint(name, value, group) for name, value in found.items()]

    monkeypatch.setattr(plugins, "entry_points", fake_entry_points)
    return found


@pytest.fixture
def greeting(monkeypatch: pytest.MonkeyPatch) -> str:
    """An object reference to a command group with one command, `hello`."""
    app = typer.Typer(help="Greets.", no_args_is_help=True)

    @app.command()
    def hello(name: str) -> None:
        typer.echo(f"hello {name}")

    @app.command()
    def other() -> None:
        typer.echo("other")

    module = ModuleType("tiro_test_greeting")
    vars(module)["app"] = app
    vars(module)["no_app"] = object()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return f"{module.__name__}:app"


def test_an_installed_command_is_run(installed: dict[str, str], greeting: str, capsys: Capture) -> None:
    """A command of another package runs as one of tiro's own."""
    installed["greet"] = greeting
    assert main(["greet", "hello", "Cicero"]) == exit_codes.OK
    assert capsys.readouterr().out == "hello Cicero\n"


def test_help_lists_installed_commands(installed: dict[str, str], greeting: str, capsys: Capture) -> None:
    """`tiro --help` shows commands of other packages, too."""
    installed["greet"] = greeting
    assert main(["--help"]) == exit_codes.OK
    shown = capsys.readouterr().out
    assert "Greets." in shown
    assert "transcribe" in shown


def test_known_commands_are_those_of_the_entry_points() -> None:
    """KNOWN, by which commands of a missing package are named, equals the entry points of all packages."""
    installed = {point.name: point.dist.name for point in entry_points(group=plugins.GROUP) if point.dist}
    assert {name: package.partition("[")[0] for name, package in plugins.KNOWN.items()} == installed


@pytest.mark.parametrize(("command", "package"), list(plugins.KNOWN.items()))
@pytest.mark.usefixtures("installed")
def test_a_missing_package_is_named(command: str, package: str, capsys: Capture) -> None:
    """A known command whose package is not installed names the package, for any arguments."""
    assert main([command, "list", "--all"]) == exit_codes.USAGE
    assert capsys.readouterr().err == f"tiro: `tiro {command}` comes with the package {package}: install it here\n"


@pytest.mark.parametrize("reference", ["tiro_no_such_module:app", "tiro_test_greeting:no_app"])
@pytest.mark.usefixtures("greeting")
def test_a_broken_package_is_reported(installed: dict[str, str], reference: str, capsys: Capture) -> None:
    """A command that cannot be loaded gives one line on stderr."""
    installed["broken"] = reference
    assert main(["broken", "now"]) == exit_codes.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tiro: `tiro broken`")


def test_a_broken_package_does_not_affect_others(installed: dict[str, str], greeting: str, capsys: Capture) -> None:
    """Help and the other commands work although one command is broken."""
    installed["broken"] = "tiro_no_such_module:app"
    installed["greet"] = greeting
    assert main(["--help"]) == exit_codes.OK
    assert "Not available" in capsys.readouterr().out
    assert main(["greet", "hello", "Tiro"]) == exit_codes.OK


@pytest.mark.usefixtures("installed")
def test_an_unknown_command_is_wrong_usage(capsys: Capture) -> None:
    """An unknown command ends with the exit code of invalid usage."""
    assert main(["frobnicate"]) == exit_codes.USAGE
    assert "frobnicate" in capsys.readouterr().err
