"""The `tiro` command against the real services."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.speech import SAMPLES, error_rate
from tests.support.stack import Stack

SECONDS_MAX = 120

pytestmark = pytest.mark.xdist_group("tiny.en stack")


def tiro(stack: Stack | None, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the command with the stack's addresses in its environment."""
    found = {**os.environ, **(stack.environment if stack else {}), **environment}
    command = [sys.executable, "-m", "tiro_client", *arguments]
    return subprocess.run(command, env=found, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)


def test_transcribe_to_stdout(stack: Stack) -> None:
    """One file's text goes to stdout, and nothing else does."""
    done = tiro(stack, "transcribe", str(SAMPLES / "dictation.wav"))
    assert done.returncode == 0, done.stderr
    assert error_rate(done.stdout, "dictation.wav") <= 0.1


def test_transcribe_many_files_into_a_folder(stack: Stack, tmp_path: Path) -> None:
    """Each file and format becomes a file; one that is no recording is reported and does not stop the others."""
    (tmp_path / "note.wav").write_text("not a recording")
    files = [str(SAMPLES / "dictation.wav"), str(tmp_path / "note.wav"), str(SAMPLES / "conversation.flac")]
    out = tmp_path / "out"
    done = tiro(stack, "transcribe", *files, "--format", "srt,json", "--output-dir", str(out))
    assert done.returncode == 1
    assert "NOT_AUDIO" in done.stderr
    names = sorted(path.name for path in out.iterdir())
    assert names == ["conversation.json", "conversation.srt", "dictation.json", "dictation.srt"]
    assert "secretary" in json.dumps(json.loads((out / "dictation.json").read_text()))
    assert "-->" in (out / "dictation.srt").read_text()


def test_listen_to_a_file(stack: Stack) -> None:
    """`tiro listen` on a pipe prints a line with times for each final."""
    done = tiro(stack, "listen", str(SAMPLES / "dictation.wav"))
    assert done.returncode == 0, done.stderr
    text = " ".join(line.partition("] ")[2] for line in done.stdout.splitlines())
    assert error_rate(text, "dictation.wav") <= 0.15


@pytest.mark.parametrize("command", ["transcribe", "listen"])
def test_words_are_replaced(stack: Stack, command: str) -> None:
    """Replacements apply to recordings and to live speech."""
    done = tiro(stack, command, str(SAMPLES / "dictation.wav"), "--replace", "A Secretary=a scribe")
    assert done.returncode == 0, done.stderr
    assert "a scribe" in done.stdout
    assert "secretary" not in done.stdout


def test_jobs_can_be_listed_and_shown(stack: Stack) -> None:
    """`tiro jobs list` and `jobs get` print JSON."""
    tiro(stack, "transcribe", str(SAMPLES / "dictation.wav"))
    listed = tiro(stack, "jobs", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    first = json.loads(listed.stdout.splitlines()[0])
    assert first["state"] == "succeeded"
    one = tiro(stack, "jobs", "get", first["name"], "--json")
    assert json.loads(one.stdout)["name"] == first["name"]


def test_engines_are_listed_with_their_live_workers(stack: Stack) -> None:
    """A running transcriber is counted at its model, with its capabilities."""
    listed = tiro(stack, "engines", "--json")
    assert listed.returncode == 0, listed.stderr
    engines = {engine["name"]: engine for engine in map(json.loads, listed.stdout.splitlines())}
    assert engines["fake"]["worker_count"] == 0
    whisper = engines["faster-whisper"]
    assert (whisper["worker_count"], whisper["taken_by_default"], whisper["default_model"]) == (1, True, "tiny.en")
    tiny = next(model for model in whisper["models"] if model["name"] == "tiny.en")
    assert tiny["capabilities"] == [
        "batch",
        "live",
        "word_timestamps",
        "hotwords",
        "initial_prompt",
        "temperature",
        "beam_size",
        "voice_activity_filter",
        "replacements",
    ]
    assert (tiny["languages"], tiny["worker_count"], tiny["price_per_minute"]) == (["en"], 1, None)
    assert tiny["free_session_slots"] > 0


def test_a_file_that_is_not_there(stack: Stack) -> None:
    """A missing file is reported without a traceback."""
    done = tiro(stack, "transcribe", "/nowhere/speech.wav")
    assert done.returncode != 0
    assert "speech.wav" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_service() -> None:
    """A service that cannot be reached is named, and the exit code is 3."""
    done = tiro(None, "jobs", "list", TIRO_ADDRESS="127.0.0.1:1")
    assert done.returncode == 3
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [[], ["transcribe"], ["listen"], ["jobs"], ["models"], ["keys"]])
def test_help(command: list[str]) -> None:
    """Every command has --help, those of other packages included."""
    done = tiro(None, *command, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
