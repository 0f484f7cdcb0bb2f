"""Runs a command: in an event loop, with errors as one line on stderr and an exit code."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import typer

from tiro_client.cli import exit_codes
from tiro_client.cli.console import notes
from tiro_client.errors import TiroError
from tiro_client.settings import ADDRESS_VARIABLE, STREAMING_ADDRESS_VARIABLE


def run(command: Coroutine[Any, Any, int]) -> None:
    """Run a command and end the program with its exit code.

    Raises:
        typer.Exit: Always.
    """
    try:
        code = asyncio.run(command)
    except TiroError as error:
        notes().print(f"tiro: {describe(error)}")
        code = exit_codes.exit_code_of(error)
    except OSError as error:
        notes().print(f"tiro: {describe_os_error(error)}")
        code = exit_codes.USAGE
    except UnicodeEncodeError as error:
        notes().print(f"tiro: {describe_unicode_error(error)}")
        code = exit_codes.USAGE
    except KeyboardInterrupt:
        code = exit_codes.INTERRUPTED
    raise typer.Exit(code)


def describe(error: TiroError) -> str:
    """An error in one line, with what to check where that is known."""
    text = " ".join(str(error).split())
    if error.code.name == "UNAVAILABLE" and not error.reason:
        return (
            f"the service cannot be reached ({text}); is it running, and is its address right "
            f"({ADDRESS_VARIABLE}, {STREAMING_ADDRESS_VARIABLE})?"
        )
    return text


def describe_unicode_error(error: UnicodeEncodeError) -> str:
    """The text that cannot be sent, in one line: an argument of the command line may be any bytes."""
    return f"not valid UTF-8: {error.object.encode('utf-8', 'replace').decode()!r}"


def describe_os_error(error: OSError) -> str:
    """An error of the operating system in one line."""
    name = f"{error.filename}: " if error.filename else ""
    return f"{name}{error.strerror or error}"
