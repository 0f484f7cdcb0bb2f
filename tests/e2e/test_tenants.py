"""API keys and the isolation of tenants: real processes, the fake engine."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.speech import wav
from tests.support.stack import Stack, running_stack
from tiro_client import AsyncClient, NotFound, Unauthenticated
from tiro_engines.fake.markers import encode

RECORDING = wav(encode(range(10)))

pytestmark = pytest.mark.xdist_group("guarded stack")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Tiro with authentication."""
    settings = {"TIRO_ENGINE": "fake", "TIRO_DEFAULT_ENGINE": "fake", "TIRO_AUTH": "api-key"}
    with running_stack(tmp_path_factory.mktemp("guarded"), settings) as stack:
        yield stack


def keys(stack: Stack, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `tiro keys` as the administrator."""
    environment = {**os.environ, "TIRO_NATS_URL": stack.nats.url}
    command = [sys.executable, "-m", "tiro_client", "keys", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)


def new_key(stack: Stack, tenant: str) -> tuple[str, str]:
    """A new key of a tenant, and its id."""
    made = json.loads(keys(stack, "create", "--tenant", tenant, "--name", "test", "--json").stdout)
    return made["key"], made["key_id"]


def client(stack: Stack, key: str | None) -> AsyncClient:
    """A client with a key."""
    return AsyncClient(stack.address, streaming_address=stack.streaming_address, api_key=key)


async def test_tenants_are_isolated(guarded: Stack) -> None:
    """A tenant cannot get, read, watch or list another's job, nor use its upload: all are NOT_FOUND."""
    async with client(guarded, new_key(guarded, "one")[0]) as one, client(guarded, new_key(guarded, "two")[0]) as two:
        job = await one.submit(RECORDING)
        await one.wait(job)
        with pytest.raises(NotFound):
            await two.get(job)
        with pytest.raises(NotFound):
            await two.get_transcript(job)
        with pytest.raises(NotFound):
            [event async for event in two.watch(job)]
        assert [found async for found in two.list()] == []
        upload = await one.upload(RECORDING)
        with pytest.raises(NotFound):
            await two.submit(upload)


async def test_invalid_keys_are_refused(guarded: Stack) -> None:
    """Calls with a missing, a wrong or a revoked key are UNAUTHENTICATED with its reason, for jobs and streams."""
    key, key_id = new_key(guarded, "three")
    async with client(guarded, key) as working:
        assert [found async for found in working.list()] == []
        keys(guarded, "revoke", key_id)
        for opened, reason in ((key, "API_KEY_REVOKED"), ("tiro_wrong", "API_KEY_INVALID"), (None, "API_KEY_MISSING")):
            async with client(guarded, opened) as refused:
                with pytest.raises(Unauthenticated) as caught:
                    await refused.get("transcriptions/01a1fbdb-a7ce-75f8-a1b7-53cb96486139")
                assert caught.value.reason == reason
                with pytest.raises(Unauthenticated) as caught:
                    [event async for event in refused.stream(_nothing(), sample_rate=16_000)]
                assert caught.value.reason == reason
    listed = keys(guarded, "list").stdout
    assert key_id in listed
    assert key not in listed


async def _nothing() -> AsyncIterator[bytes]:
    parts: tuple[bytes, ...] = ()
    for part in parts:
        yield part
