"""`tiro listen` and `tiro watch` as processes of their own."""

import asyncio
import json
import signal
import uuid
from pathlib import Path

import pytest

from tests.integration.client.command import Ended, end_of, run, silence, silent_pipe, tiro
from tests.integration.client.servers import Deployment
from tiro_client.cli import exit_codes

SESSION = "session s; to follow it elsewhere: `tiro watch s`\n"
"""The line on stderr with which a session begins."""


async def test_listening_to_a_file(address: str, deployment: Deployment, speech: Path) -> None:
    """`listen FILE` sends a file in its own format, and prints a line for each final."""
    ended = await run(address, "listen", speech, "--language", "en")
    assert ended == Ended(exit_codes.OK, "[00:00.00 - 00:00.30] all 3\n", SESSION)
    config = deployment.live.received[0].config
    assert (config.format.sample_rate_hertz, config.recognition.language_code) == (8000, "en")


async def test_listening_to_standard_input(address: str, deployment: Deployment, speech: Path) -> None:
    """`-` sends the audio of a pipe as it comes."""
    async with tiro(address, "listen", "-", stdin=asyncio.subprocess.PIPE) as process:
        ended = await end_of(process, await asyncio.to_thread(speech.read_bytes))
    assert ended == Ended(exit_codes.OK, "[00:00.00 - 00:00.30] all 3\n", SESSION)


async def test_replacements_from_options_and_a_file(
    address: str, deployment: Deployment, speech: Path, tmp_path: Path
) -> None:
    """Replacements are sent in the given order. A warning about a final is printed to stderr."""
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("new york = NYC\n\ntyro=Tyrone\n", encoding="utf-8-sig")
    deployment.live.warning = "a stage failed"
    ended = await run(address, "listen", speech, "--replace", f"@{pairs}", "--replace", "tyro=Tiro")
    assert ended == Ended(exit_codes.OK, "[00:00.00 - 00:00.30] all 3\n", f"{SESSION}a stage failed (STAGE_FAILED)\n")
    config = deployment.live.received[0].config
    assert [(pair.find, pair.replace) for pair in config.recognition.replacements] == [
        ("new york", "NYC"),
        ("tyro", "Tiro"),
    ]


async def test_an_invalid_replacement_is_refused(address: str, speech: Path, tmp_path: Path) -> None:
    """The error names the option, the line of the file, or the file that cannot be read."""
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("new york=NYC\ntyro\n")
    for option, named in [("tyro", "'tyro'"), (f"@{pairs}", "line 2"), (f"@{tmp_path}/none", "cannot be read")]:
        ended = await run(address, "transcribe", speech, "--replace", option)
        assert ended.code == exit_codes.USAGE
        assert named in " ".join(ended.err.replace("│", " ").split())


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_interrupt_waits_for_the_last_final(
    address: str, deployment: Deployment, tmp_path: Path, signum: signal.Signals
) -> None:
    """Ctrl-C, or SIGTERM, ends the audio and prints the last final, with exit code 0."""
    async with tiro(address, "listen", silence(tmp_path / "long.wav", 60)) as process:
        await deployment.live.audio_received.wait()
        process.send_signal(signum)
        ended = await end_of(process)
    assert ended.code == exit_codes.OK
    assert ended.out.startswith("[00:00.00 - ")


async def test_the_second_interrupt_does_not_wait(address: str, deployment: Deployment, tmp_path: Path) -> None:
    """A second Ctrl-C ends the command while the last final is outstanding."""
    deployment.live.never_ends = True
    async with tiro(address, "listen", silence(tmp_path / "long.wav", 60)) as process:
        await deployment.live.audio_received.wait()
        process.send_signal(signal.SIGINT)
        await deployment.live.half_closed.wait()
        process.send_signal(signal.SIGINT)
        ended = await end_of(process)
    assert ended.code == exit_codes.INTERRUPTED


async def test_one_interrupt_ends_watching(address: str, deployment: Deployment) -> None:
    """Ctrl-C stops following a session that goes on."""
    async with tiro(address, "watch", str(uuid.uuid4())) as process:
        await deployment.live.watched.wait()
        process.send_signal(signal.SIGINT)
        ended = await end_of(process)
    assert ended == Ended(exit_codes.INTERRUPTED, "", "")


async def test_listening_to_a_file_that_cannot_be_streamed(address: str, tmp_path: Path) -> None:
    """A file of another kind is refused in one line, before audio is sent."""
    path = tmp_path / "song.mp3"
    path.write_bytes(b"ID3\4")
    ended = await run(address, "listen", path)
    assert ended.code == exit_codes.USAGE
    assert ended.err.startswith(f"tiro: {path}: a live stream takes WAV")


async def test_live_events_as_json(address: str, speech: Path) -> None:
    """`listen --json` prints a line for each event, partials included, for programs."""
    ended = await run(address, "listen", speech, "--json", "--quiet")
    events = [json.loads(line) for line in ended.out.splitlines()]
    assert [event["event"] for event in events] == ["session_started", *["partial"] * 3, "final", "session_ended"]
    assert events[0]["session_id"] == "s"
    assert events[4]["segment"]["end_seconds"] == 0.3
    assert ended.err == ""


async def test_finals_are_written_to_a_file(address: str, speech: Path, tmp_path: Path) -> None:
    """`--output` gets what stdout gets. Times can be left out."""
    target = tmp_path / "finals.txt"
    ended = await run(address, "listen", speech, "--output", target, "--no-timestamps", "-q")
    assert ended == Ended(exit_codes.OK, "all 3\n", "")
    assert target.read_text() == "all 3\n"


async def test_an_interrupt_ends_the_wait_for_a_pipe(address: str) -> None:
    """A pipe whose writer is silent before its first audio does not keep the command."""
    async with silent_pipe(address, "listen", "-") as process:
        process.send_signal(signal.SIGINT)
        ended = await end_of(process)
    assert ended == Ended(exit_codes.INTERRUPTED, "", "")
