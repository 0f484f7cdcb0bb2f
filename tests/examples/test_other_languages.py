"""The clients in other languages: built from the bundle of protos, they transcribe a file and a live stream."""

import os
import shutil
import subprocess
import sys
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.examples.conftest import WORDS
from tests.support.stack import Stack
from tools import proto_bundle
from tools.members import ROOT

EXAMPLES = Path("examples") / "clients"
BUILT = ("node_modules", "gen", "target")
JAVA = ("java", "-cp", "target/classes:target/lib/*")

pytestmark = [pytest.mark.examples, pytest.mark.timeout(900)]


@dataclass(frozen=True, slots=True)
class Language:
    """How the programs of a language are built and started."""

    tools: Sequence[str]
    build: Sequence[Sequence[str]]
    transcribe: Callable[[str], Sequence[str]]
    listen: Sequence[str]


LANGUAGES = {
    "node": Language(
        tools=["node", "npm"],
        build=[["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]],
        transcribe=lambda file: ["node", "transcribe.js", file],
        listen=["node", "listen.js"],
    ),
    "go": Language(
        tools=["go"],
        build=[["buf", "generate"], ["go", "vet", "./..."], ["go", "build", "-o", "bin/", "./transcribe", "./listen"]],
        transcribe=lambda file: ["bin/transcribe", file],
        listen=["bin/listen"],
    ),
    "java": Language(
        tools=["java", "mvn"],
        build=[["mvn", "-q", "-B", "compile"]],
        transcribe=lambda file: [*JAVA, "dev.tiro.examples.Transcribe", file],
        listen=[*JAVA, "dev.tiro.examples.Listen"],
    ),
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples, and with what `make proto-bundle` builds, where they look for it."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / EXAMPLES, folder / EXAMPLES, ignore=shutil.ignore_patterns(*BUILT))
    proto_bundle.build(folder / "dist" / "protos")
    return folder


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_file_and_a_live_stream(name: str, checkout: Path, stack: Stack, recording: Path, tmp_path: Path) -> None:
    """Both give every word. What is no recording is refused, in one line with the service's words."""
    language = LANGUAGES[name]
    missing = [tool for tool in language.tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"the example in {name} was NOT tested: {', '.join(missing)} is not on this machine")
    folder = checkout / EXAMPLES / name
    for command in language.build:
        run(command, folder, stack)

    assert run(language.transcribe(str(recording)), folder, stack).split() == WORDS
    with wave.open(str(recording)) as file:
        audio = file.readframes(file.getnframes())
    assert run(language.listen, folder, stack, audio=audio).split() == WORDS

    text = tmp_path / "text.wav"
    text.write_text("This is no recording. " * 1000)
    refused = started(language.transcribe(str(text)), folder, stack)
    assert refused.returncode == 1
    (line,) = refused.stderr.decode().splitlines()
    assert "audio format" in line


def test_lock_files_name_no_registry() -> None:
    """A site with its own registry installs the same packages."""
    lock = (ROOT / EXAMPLES / "node" / "package-lock.json").read_text()
    assert '"integrity"' in lock
    assert '"resolved"' not in lock


def run(command: Sequence[str], folder: Path, stack: Stack, *, audio: bytes = b"") -> str:
    """Run a program that must succeed, and return what it prints."""
    ran = started(command, folder, stack, audio=audio)
    assert ran.returncode == 0, (command, ran.stdout, ran.stderr)
    return ran.stdout.decode()


def started(
    command: Sequence[str], folder: Path, stack: Stack, *, audio: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """Run a program with its services, and with the tools of this environment, such as buf."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **stack.environment, "PATH": path}
    program = shutil.which(command[0], path=path) or str(folder / command[0])
    return subprocess.run(
        [program, *command[1:]], cwd=folder, env=environment, input=audio, capture_output=True, check=False
    )
