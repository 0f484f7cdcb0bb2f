"""The client, installed from its wheels with one command, in an empty environment outside this repository."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.examples.conftest import WORDS
from tests.support.stack import Stack
from tools.members import ROOT
from tools.wheels import build

PROGRAM = """
import asyncio, json, sys, wave
import google.protobuf
from tiro_client import AsyncClient, Client, Final

def pieces():
    with wave.open(sys.argv[1]) as file:
        while piece := file.readframes(1600):
            yield piece

def words(events):
    return [word for event in events if isinstance(event, Final) for word in event.segment.text.split()]

async def asynchronous():
    async def audio():
        for piece in pieces():
            yield piece
    async with AsyncClient() as client:
        return words([event async for event in client.stream(audio(), sample_rate=16000)])

with Client() as client:
    upload = client.upload(sys.argv[1])
    job = client.transcribe(upload).text.split()
    live = words(client.stream(pieces(), sample_rate=16000))
print(json.dumps([google.protobuf.__version__, job, live, asyncio.run(asynchronous())]))
"""

PROTOBUF = {"tiro-client": "7", "tiro-client-oldest": "5"}
"""Files of pinned versions, and the major version of protobuf that each has."""

pytestmark = [pytest.mark.examples, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheels that `make wheels` builds."""
    return build("tiro-client", tmp_path_factory.mktemp("wheels"))


@pytest.mark.parametrize("pins", PROTOBUF)
def test_the_client_is_installed_by_itself(
    pins: str, wheels: list[Path], stack: Stack, recording: Path, tmp_path: Path
) -> None:
    """With the newest and the oldest versions of its dependencies, it transcribes jobs and live streams.

    Warnings are errors, and nothing of the services is installed.
    """
    environment = tmp_path / "environment"
    run([sys.executable, "-m", "venv", str(environment)], tmp_path)
    python = str(environment / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    run([*install, "--constraint", str(versions(pins, tmp_path)), *map(str, wheels)], tmp_path)
    listed = json.loads(run([python, "-m", "pip", "list", "--format", "json"], tmp_path))
    names = {one["name"] for one in listed}
    assert {name for name in names if name.startswith("tiro")} == {"tiro-client", "tiro-formats", "tiro-protos"}
    assert not names & {"numpy", "nats-py", "av", "faster-whisper", "protovalidate"}

    printed = run([python, "-I", "-W", "error", "-c", PROGRAM, str(recording)], tmp_path, stack)
    version, *results = json.loads(printed)
    assert version.split(".")[0] == PROTOBUF[pins]
    assert results == [WORDS, WORDS, WORDS]
    command = [str(environment / "bin" / "tiro"), "transcribe", str(recording)]
    assert run(command, tmp_path, stack).split() == WORDS


def versions(pins: str, folder: Path) -> Path:
    """Pinned versions as constraints, without their hashes, which pip would then want for the wheels too."""
    lines = re.findall(r"^[\w.-]+==[^\\\n]*", (ROOT / "requirements" / f"{pins}.txt").read_text(), re.MULTILINE)
    path = folder / "constraints.txt"
    path.write_text("\n".join(lines))
    return path


def run(command: Sequence[str], folder: Path, stack: Stack | None = None) -> str:
    """Run a program outside the repository, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment |= stack.environment if stack else {}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
