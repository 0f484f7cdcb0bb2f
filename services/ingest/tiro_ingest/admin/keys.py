"""`tiro keys`: creates, lists and revokes API keys. For administrators: it connects to NATS, not to a service."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Annotated, NoReturn, TypeVar

import typer

from tiro.events.v1.api_key_pb2 import ApiKeyRecord
from tiro_core.ids import check_tenant
from tiro_core.logs.setup import configure_logging
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.topology import ensure_streams
from tiro_core.server.auth.keys import ApiKeys
from tiro_core.server.command_line import core_settings
from tiro_core.startup import CannotStart
from tiro_ingest.callbacks.signatures import tenant_secret

CONNECT_SECONDS_MAX = 5.0
EXIT_FAILED = 1
EXIT_USAGE = 2

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys. Connects to NATS (TIRO_NATS_URL).")


@app.command()
def create(
    tenant: Annotated[str, typer.Option(help="Tenant of the key: 1 to 40 of a-z, 0-9 and '-'.")],
    name: Annotated[str, typer.Option(help="Purpose of the key, for people.")] = "",
    as_json: Json = False,
) -> None:
    """Create a key and print it. It is not shown again."""
    key, record = _run(lambda keys: keys.create(tenant, name))
    if as_json:
        _print_json({**_described(record), "key": key})
        return
    typer.echo(key)
    typer.echo(f"Key {record.key_id} of tenant {record.tenant}. It is not shown again.", err=True)


@app.command("callback-secret")
def callback_secret(
    tenant: Annotated[str, typer.Option(help="Tenant that verifies its callbacks.")],
    deployment_secret: Annotated[
        str,
        typer.Option(
            envvar="TIRO_CALLBACK_SECRETS",
            help="The deployment's secrets; the first is used.",
            show_default=False,
        ),
    ],
) -> None:
    """Print the secret with which a tenant verifies its callbacks. It is derived from the deployment's secret."""
    try:
        check_tenant(tenant)
    except ValueError as error:
        _fail(str(error), EXIT_USAGE)
    typer.echo(tenant_secret(deployment_secret.partition(",")[0].strip(), tenant))


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """List all keys, without their secrets."""
    records = _run(lambda keys: keys.list())
    if as_json:
        _print_json([_described(record) for record in records])
        return
    if not records:
        typer.echo("there are no keys: `tiro keys create --tenant NAME` makes one", err=True)
    for record in records:
        described = _described(record)
        state = f"revoked {described['revoke_time']}" if described["revoke_time"] else "active"
        typer.echo(f"{record.key_id}  {record.tenant:<16}  {described['create_time']}  {state}  {record.display_name}")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as `list` shows it.")], as_json: Json = False
) -> None:
    """Revoke a key. Services refuse it at once."""
    record = _run(lambda keys: keys.revoke(key_id))
    if as_json:
        _print_json(_described(record))
        return
    typer.echo(f"Key {record.key_id} of tenant {record.tenant} is revoked.")


def _described(record: ApiKeyRecord) -> dict[str, str | None]:
    return {
        "key_id": record.key_id,
        "tenant": record.tenant,
        "name": record.display_name,
        "create_time": record.create_time.ToJsonString(),
        "revoke_time": record.revoke_time.ToJsonString() if record.HasField("revoke_time") else None,
    }


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value))


def _run(work: Callable[[ApiKeys], Awaitable[T]]) -> T:
    """Run `work` with the keys. On an error, end the program with a line that names it."""
    configure_logging("keys", "console", "error")
    try:
        return asyncio.run(on_bus("keys", lambda bus: work(ApiKeys(bus))))
    except CannotStart as error:
        _fail(str(error), EXIT_USAGE)
    except (ValueError, KeyError) as error:
        known = isinstance(error, ValueError)
        _fail(str(error) if known else f"there is no key {error.args[0]!r}", EXIT_USAGE)
    except (ConnectionError, MessagingError) as error:
        _fail(str(error), EXIT_FAILED)


async def on_bus(name: str, work: Callable[[Bus], Awaitable[T]]) -> T:
    """Run `work` with a new connection, after creating the streams.

    Args:
        name: The name of the connection, which NATS shows.
        work: The work.

    Raises:
        CannotStart: The settings are wrong.
        ConnectionError: NATS does not answer; the message names its address.
    """
    settings = core_settings()
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                bus = await stack.enter_async_context(open_bus(settings, name))
                await ensure_streams(bus, settings.nats_replicas)
        except TimeoutError:
            raise ConnectionError(
                f"NATS does not answer at {settings.nats_url} (TIRO_NATS_URL) within {CONNECT_SECONDS_MAX:g} s"
            ) from None
        return await work(bus)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"tiro keys: {message}", err=True)
    raise typer.Exit(code)
