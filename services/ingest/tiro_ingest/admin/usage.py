"""`tiro usage`: the audio sent to cloud engines. For administrators: it connects to NATS, not to a service."""

import asyncio
import json
from datetime import date
from typing import Annotated, NoReturn

import typer
from google.protobuf.json_format import MessageToDict

from tiro.events.v1.usage_pb2 import UsageRecord
from tiro_core.ids import check_tenant
from tiro_core.logs.setup import configure_logging
from tiro_core.messaging.errors import MessagingError
from tiro_core.routing.usage import list_usage
from tiro_core.startup import CannotStart
from tiro_ingest.admin.keys import EXIT_FAILED, EXIT_USAGE, on_bus

app = typer.Typer(help="List the audio that cloud engines have sent outside. Connects to NATS (TIRO_NATS_URL).")


@app.callback(invoke_without_command=True)
def usage(
    tenant: Annotated[str, typer.Option(help="Only this tenant.")] = "",
    day: Annotated[str, typer.Option(help="Only this day, in UTC: YYYY-MM-DD.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List the audio that cloud engines have sent outside: a line for each tenant, engine and day (UTC).

    The seconds include audio that was sent again: after a fault of a live session, or when a job was tried again.
    Engines on your own machines are not counted. Workers write the counts every 10 s. Days are kept for 400 days.
    Connects to NATS (TIRO_NATS_URL).
    """
    _check(tenant, day)
    records = _read(tenant or "*", day or "*")
    if as_json:
        fields = [MessageToDict(record, preserving_proto_field_name=True) for record in records]
        typer.echo(json.dumps(fields))
        return
    if not records:
        typer.echo("no audio was sent to cloud engines", err=True)
        return
    typer.echo(f"{'tenant':<40}  {'engine':<20}  {'day':<10}  {'seconds':>12}")
    for record in records:
        typer.echo(f"{record.tenant:<40}  {record.engine:<20}  {record.day}  {record.seconds_sent:>12.1f}")


def _check(tenant: str, day: str) -> None:
    try:
        if tenant:
            check_tenant(tenant)
    except ValueError as error:
        _fail(str(error), EXIT_USAGE)
    if day and not _is_day(day):
        _fail(f"a day is YYYY-MM-DD, not {day!r}", EXIT_USAGE)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _read(tenant: str, day: str) -> list[UsageRecord]:
    configure_logging("usage", "console", "error")
    try:
        return asyncio.run(on_bus("usage", lambda bus: list_usage(bus, tenant=tenant, day=day)))
    except CannotStart as error:
        _fail(str(error), EXIT_USAGE)
    except (ConnectionError, MessagingError) as error:
        _fail(str(error), EXIT_FAILED)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"tiro usage: {message}", err=True)
    raise typer.Exit(code)
