"""The command `tiro usage`."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from tests.support.nats import NatsServer
from tiro_core.messaging.connection import Bus
from tiro_core.routing.usage import UsageCounter, today
from tiro_ingest.admin import keys, usage


async def test_usage_is_listed(bus: Bus, nats_server: NatsServer, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Usage is listed by tenant and day, as a table and as JSON."""
    monkeypatch.setenv("TIRO_NATS_URL", nats_server.url)
    await UsageCounter(bus).add(tenant, "cloud", 1.5)

    async def run(*arguments: str) -> str:
        ran = await asyncio.to_thread(CliRunner().invoke, usage.app, list(arguments))
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    assert [tenant, "cloud", today(), "1.5"] in [line.split() for line in (await run()).splitlines()]
    listed = json.loads(await run("--tenant", tenant, "--day", today(), "--json"))
    assert listed == [{"tenant": tenant, "engine": "cloud", "day": today(), "seconds_sent": 1.5}]
    assert json.loads(await run("--tenant", tenant, "--day", "2020-01-01", "--json")) == []


@pytest.mark.parametrize("arguments", [("--day", "1.2.2026"), ("--day", "20260131"), ("--tenant", "a.b")])
def test_invalid_filters_are_usage_errors(arguments: tuple[str, str]) -> None:
    """An invalid day or tenant is a usage error without a traceback."""
    ran = CliRunner().invoke(usage.app, list(arguments))
    assert ran.exit_code == keys.EXIT_USAGE
    assert "Traceback" not in ran.output
