"""The command line of a service: its settings as options, `--check` and `--version`."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from importlib.metadata import version
from typing import NoReturn, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import CliApp, CliSettingsSource, SettingsError

from tiro_core.server.preflight import check_core
from tiro_core.settings import CoreSettings
from tiro_core.startup import EXIT_SETTINGS, CannotStart

PACKAGE = "tiro-core"
"""Its version is the version of all services."""

S = TypeVar("S", bound=CoreSettings)


def read_command_line(name: str, settings_type: type[S], check: Callable[[S], None]) -> S:
    """The settings of a service, checked. Ends the process if they are wrong, and after `--check` and `--version`.

    Args:
        name: The service's name, as its lines begin.
        settings_type: The class of the settings, from which the options and `--help` are made.
        check: Raises `CannotStart` if the service cannot start with the settings. It asks no other process.
    """
    parser = _parser(f"tiro-{name}")
    source = CliSettingsSource[ArgumentParser](settings_type, root_parser=parser, case_sensitive=True)
    arguments = parser.parse_args()
    try:
        settings = CliApp.run(settings_type, cli_args=arguments, cli_settings_source=source)
        check(settings)
    except ValidationError as error:
        _refuse(name, *_problems(error))
    except (SettingsError, CannotStart) as error:
        _refuse(name, str(error))
    if arguments.check:
        print(f"{name}: the settings are valid")  # noqa: T201 - the answer
        sys.exit(0)
    return settings


def core_settings() -> CoreSettings:
    """The settings that every service has, from the environment and the settings file: for commands of administrators.

    Raises:
        CannotStart: They are wrong. The message has all problems.
    """
    try:
        settings = CoreSettings()
    except ValidationError as error:
        raise CannotStart("; ".join(_problems(error))) from None
    check_core(settings, metrics_address="")
    return settings


def _problems(error: ValidationError) -> list[str]:
    return [f"{_setting(problem)}: {_message(problem)}" for problem in error.errors(include_input=False)]


def _parser(program: str) -> ArgumentParser:
    parser = ArgumentParser(
        program,
        usage="%(prog)s [OPTION]...",
        description="Every option is also an environment variable: TIRO_NATS_URL for --nats-url. TIRO_CONFIG names "
        "a TOML file with further settings: nats_url for --nats-url.",
    )
    parser.add_argument("--version", action="version", version=f"{program} {version(PACKAGE)}")
    parser.add_argument("--check", action="store_true", help="check the settings and exit: 0 valid, 2 not valid")
    return parser


def _refuse(name: str, *problems: str) -> NoReturn:
    for problem in problems:
        print(f"{name}: {problem}", file=sys.stderr)  # noqa: T201 - logging is not set up yet
    sys.exit(EXIT_SETTINGS)


def _setting(problem: ErrorDetails) -> str:
    """The setting that a problem is about. A problem of several settings names them in its message."""
    return ".".join(str(part) for part in problem["loc"]) or "settings"


def _message(problem: ErrorDetails) -> str:
    return problem["msg"].removeprefix("Value error, ")
