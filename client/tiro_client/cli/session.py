"""What a command needs around it: the client it was asked for, an event loop, errors as one line and an exit code."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import typer

from tiro_client.cli import exit_codes
from tiro_client.cli.console import notes
from tiro_client.client import AsyncClient
from tiro_client.errors import TiroError
from tiro_client.settings import ADDRESS_VARIABLE, STREAMING_ADDRESS_VARIABLE


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """The options before the command."""

    address: str | None
    streaming_address: str | None
    api_key: str | None
    tls_ca: str | None

    def client(self) -> AsyncClient:
        """A client for these options. It is not open.

        Raises:
            typer.BadParameter: An address is no address.
        """
        try:
            return AsyncClient(
                self.address, streaming_address=self.streaming_address, api_key=self.api_key, tls=self.tls_ca
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None


def options_of(context: typer.Context) -> ClientOptions:
    """The options before the command that `context` belongs to."""
    options = context.obj
    if not isinstance(options, ClientOptions):
        raise TypeError(f"the context carries {type(options).__name__}, not the client's options")
    return options


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
    except KeyboardInterrupt:
        code = exit_codes.INTERRUPTED
    raise typer.Exit(code)


def describe(error: TiroError) -> str:
    """An error in one line, with what can be done about it where that is known."""
    text = " ".join(str(error).split())
    if error.code.name == "UNAVAILABLE" and not error.reason:
        return (
            f"the service cannot be reached ({text}); is it running, and is its address right "
            f"({ADDRESS_VARIABLE}, {STREAMING_ADDRESS_VARIABLE})?"
        )
    return text


def describe_os_error(error: OSError) -> str:
    """What the operating system refused, in one line."""
    name = f"{error.filename}: " if error.filename else ""
    return f"{name}{error.strerror or error}"
