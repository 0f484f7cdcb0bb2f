"""`tiro keys`, and calls with new and revoked keys."""

import json
import re
from typing import Any

import grpc
import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from tests.integration.ingest.conftest import DEADLINE_SECONDS, Ingest, refused
from tests.support.nats import NatsServer
from tiro.transcription.v1.transcription_service_pb2 import ListTranscriptionsRequest
from tiro_core.messaging.connection import Bus
from tiro_core.server.auth.keys import ApiKeys
from tiro_ingest.admin import keys as command
from tiro_ingest.admin import usage


@pytest.fixture
def keys(nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that runs `tiro keys` with arguments."""
    monkeypatch.setenv("TIRO_NATS_URL", nats_server.url)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(command.app, list(arguments))

    return run


def _listed(keys: Any, key_id: str) -> dict[str, Any]:
    """One key of the list."""
    (found,) = [record for record in json.loads(keys("list", "--json").stdout) if record["key_id"] == key_id]
    return dict(found)


def test_a_key_is_shown_once_and_listed_without_its_secret(keys: Any, tenant: str) -> None:
    """`create` prints the key only, and no list has it."""
    created = keys("create", "--tenant", tenant, "--name", "laptop")
    assert created.exit_code == 0
    secret = created.stdout.strip()
    assert re.fullmatch(r"tiro_[\w-]{43}", secret)
    listed = keys("list")
    assert tenant in listed.stdout
    assert "laptop" in listed.stdout
    assert secret not in listed.stdout + keys("list", "--json").stdout


def test_each_command_has_json_output(keys: Any, tenant: str) -> None:
    """With --json each command prints the key's record as JSON."""
    created = json.loads(keys("create", "--tenant", tenant, "--name", "robot", "--json").stdout)
    assert created["key"].startswith("tiro_")
    assert _listed(keys, created["key_id"]) == {**_without_key(created), "revoke_time": None}
    revoked = json.loads(keys("revoke", created["key_id"], "--json").stdout)
    assert revoked["revoke_time"]
    assert _listed(keys, created["key_id"]) == revoked


def _without_key(created: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in created.items() if name != "key"}


def test_invalid_arguments_are_usage_errors(keys: Any) -> None:
    """An invalid tenant name and an unknown key are usage errors, without a traceback."""
    for arguments, message in (
        (("create", "--tenant", "a.b"), "a tenant's name"),
        (("revoke", "000000000000"), "there is no key '000000000000'"),
    ):
        result = keys(*arguments)
        assert result.exit_code == command.EXIT_USAGE
        assert message in result.stderr
        assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("TIRO_CONFIG", "/nowhere/tiro.toml", "cannot read /nowhere/tiro.toml"),
        ("TIRO_GRACE_SECONDS", "soon", "grace_seconds"),
        ("TIRO_NATS_URL", "nats://host:port", "nats_url"),
    ],
)
@pytest.mark.parametrize(("app", "arguments"), [(command.app, ["list"]), (usage.app, [])])
def test_wrong_settings_are_one_line(
    *, app: Typer, arguments: list[str], variable: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that cannot work is a usage error, before NATS is asked."""
    monkeypatch.setenv(variable, value)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == command.EXIT_USAGE
    (line,) = result.stderr.splitlines()
    assert why in line


def test_the_command_ends_without_nats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without NATS the command ends after a limit of time, with the address in its message."""
    monkeypatch.setenv("TIRO_NATS_URL", "nats://127.0.0.1:1")  # tcpmux, on which no server listens
    monkeypatch.setattr(command, "CONNECT_SECONDS_MAX", 0.5)
    result = CliRunner().invoke(command.app, ["list"])
    assert result.exit_code == command.EXIT_FAILED
    assert "NATS does not answer at nats://127.0.0.1:1" in result.stderr


async def test_a_revoked_key_is_refused(ingest: Ingest, bus: Bus, tenant: str) -> None:
    """A running service accepts a new key, and refuses it once it is revoked."""
    key, record = await ApiKeys(bus).create(tenant, "short-lived")
    await _until_known(ingest, key)
    await ApiKeys(bus).revoke(record.key_id)
    async with refused(grpc.StatusCode.UNAUTHENTICATED, "API_KEY_REVOKED"):
        while True:  # the service follows the keys with a short delay
            await _list(ingest, key)


async def _list(ingest: Ingest, key: str) -> None:
    await ingest.jobs.ListTranscriptions(
        ListTranscriptionsRequest(), timeout=DEADLINE_SECONDS, metadata=(("authorization", f"Bearer {key}"),)
    )


async def _until_known(ingest: Ingest, key: str) -> None:
    while True:
        try:
            await _list(ingest, key)
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.UNAUTHENTICATED:
                raise
        else:
            return
