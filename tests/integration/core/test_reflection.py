"""gRPC server reflection, asked by a tool that is told which version to use."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tiro_core.server.grpc_server import create_health_server

BUF = str(Path(sys.executable).with_name("buf"))
HEALTH = "grpc.health.v1.Health"
REFLECTION = "grpc.reflection.{}.ServerReflection"


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_both_versions_describe_the_services(version: str) -> None:
    """Each lists all services, both of reflection too, and describes their methods."""
    server, _, port = create_health_server("127.0.0.1:0")
    await server.start()
    try:
        services = await ask(port, version, "--list-services")
        methods = await ask(port, version, "--list-methods")
    finally:
        await server.stop(None)
    assert set(services) == {HEALTH, REFLECTION.format("v1"), REFLECTION.format("v1alpha")}
    assert f"{HEALTH}/Check" in methods
    assert f"{REFLECTION.format('v1')}/ServerReflectionInfo" in methods


async def ask(port: int, version: str, question: str) -> list[str]:
    """What `buf curl` prints, with reflection of a version."""
    options = ["--protocol", "grpc", "--http2-prior-knowledge", "--reflect-protocol", f"grpc-{version}"]
    process = await asyncio.create_subprocess_exec(
        BUF, "curl", *options, question, f"http://127.0.0.1:{port}", stdout=PIPE, stderr=PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode().split()
