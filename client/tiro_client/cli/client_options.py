"""The global options of `tiro`: which deployment to use, and with which credentials."""

from dataclasses import dataclass

import typer

from tiro_client.client import AsyncClient


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """The options that precede the command."""

    address: str | None
    streaming_address: str | None
    api_key: str | None
    tls_ca: str | None

    def client(self) -> AsyncClient:
        """A client for these options. It is not open.

        Raises:
            typer.BadParameter: An address is invalid.
        """
        try:
            return AsyncClient(
                self.address, streaming_address=self.streaming_address, api_key=self.api_key, tls=self.tls_ca
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None


def options_of(context: typer.Context) -> ClientOptions:
    """The global options that a command was called with."""
    options = context.obj
    if not isinstance(options, ClientOptions):
        raise TypeError(f"the context carries {type(options).__name__}, not the client's options")
    return options
