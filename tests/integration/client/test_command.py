"""The `tiro` command as a process of its own."""

import asyncio
import json
import os
import re
import signal
import sys
import uuid
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from google.type.money_pb2 import Money

from tests.integration.client.servers import Deployment, seconds
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.engine_pb2 import Engine
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import WatchTranscriptionResponse
from tiro_client.cli import exit_codes
from tiro_core.errors import TiroError, invalid_argument

END_SECONDS_MAX = 20.0
"""How long a command may take to end, on a busy machine."""


@dataclass(frozen=True)
class Ended:
    """The result of a command."""

    code: int
    out: str
    err: str


@asynccontextmanager
async def tiro(
    address: str, *arguments: str | Path, stdin: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running command. It is killed when the test ends before it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIRO_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tiro_client", *map(str, arguments)),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**environment, "TIRO_ADDRESS": address},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def end_of(process: asyncio.subprocess.Process, sent: bytes | None = None) -> Ended:
    """Wait for a command's end.

    Args:
        process: The command.
        sent: What it reads from standard input.
    """
    async with asyncio.timeout(END_SECONDS_MAX):
        out, err = await process.communicate(sent)
    assert process.returncode is not None
    assert b"Traceback" not in err
    return Ended(process.returncode, out.decode(), err.decode())


async def run(address: str, *arguments: str | Path) -> Ended:
    """Run a command to its end."""
    async with tiro(address, *arguments) as process:
        return await end_of(process)


@pytest.fixture
def succeeding(deployment: Deployment) -> Deployment:
    """A deployment whose jobs succeed with two segments."""
    states = (Transcription.STATE_QUEUED, Transcription.STATE_RUNNING, Transcription.STATE_SUCCEEDED)
    deployment.jobs.events = [
        WatchTranscriptionResponse(sequence=sequence, state_changed=Transcription(state=state))
        for sequence, state in enumerate(states, start=1)
    ]
    deployment.jobs.segments = [
        Segment(text="Buenos días.", end_offset=seconds(1)),
        Segment(text="Adiós.", start_offset=seconds(1), end_offset=seconds(2.5)),
    ]
    return deployment


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    """Three files."""
    paths = [tmp_path / name for name in ("one.wav", "two.mp3", "three.ogg")]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """A WAV file of 0.3 s."""
    return silence(tmp_path / "speech.wav", 0.3)


def silence(path: Path, length_seconds: float) -> Path:
    """A WAV file of silence."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(round(8000 * length_seconds) * 2))
    return path


@pytest.mark.usefixtures("succeeding")
async def test_one_transcript_is_printed_to_stdout(address: str, recordings: list[Path]) -> None:
    """Stdout has the transcript only, and without a terminal there is no progress bar."""
    ended = await run(address, "transcribe", recordings[0])
    assert ended == Ended(exit_codes.OK, "Buenos días.\nAdiós.\n", "")


async def test_many_transcripts_are_written_to_a_folder(
    address: str, succeeding: Deployment, recordings: list[Path]
) -> None:
    """Each file has a transcript in each format. A refused file is reported and does not stop the others."""
    succeeding.jobs.refusals["two.mp3"] = invalid_argument(reasons.ERROR_REASON_NOT_AUDIO, "this is no recording")
    folder = recordings[0].parent / "out"
    ended = await run(address, "transcribe", *recordings, "--format", "srt,json", "-o", folder, "-j", "2")
    assert ended.code == exit_codes.FAILED
    assert ended.out == ""
    assert f"{recordings[1]}: this is no recording (NOT_AUDIO)\n" in ended.err
    assert "2 of 3 files transcribed, 1 failed" in ended.err
    assert sorted(path.name for path in folder.iterdir()) == ["one.json", "one.srt", "three.json", "three.srt"]
    segments = json.loads((folder / "one.json").read_text())["segments"]
    assert [segment["text"] for segment in segments] == ["Buenos días.", "Adiós."]


@pytest.mark.usefixtures("succeeding")
async def test_a_transcript_of_a_job(address: str, tmp_path: Path) -> None:
    """`tiro jobs transcript` prints the transcript of a job, or writes it to a file, with format and cue options."""
    job = str(uuid.uuid4())
    assert await run(address, "jobs", "transcript", job) == Ended(exit_codes.OK, "Buenos días.\nAdiós.\n", "")
    target = tmp_path / "talk.srt"
    options = ("--line-columns", "10", "--cue-lines", "1", "--reading-speed", "20")
    ended = await run(address, "jobs", "transcript", job, "--format", "srt", *options, "--output", target)
    assert ended == Ended(exit_codes.OK, "", "")
    assert [line for line in target.read_text().splitlines() if line.isdigit()] == ["1", "2", "3"]
    assert (await run(address, "jobs", "transcript", job, "--format", "doc")).code == exit_codes.USAGE
    nowhere = await run(address, "jobs", "transcript", job, "--output", tmp_path / "none" / "talk.txt")
    assert (nowhere.code, nowhere.out) == (exit_codes.USAGE, "")
    assert "No such file" in nowhere.err


@pytest.mark.usefixtures("succeeding")
async def test_a_missing_file_is_reported(address: str, recordings: list[Path]) -> None:
    """A missing file fails, and the others are transcribed."""
    missing = recordings[0].with_name("none.wav")
    ended = await run(address, "transcribe", missing, recordings[0])
    assert ended.code == exit_codes.FAILED
    assert f"{missing}: No such file or directory\n" in ended.err
    assert ended.out.endswith("Buenos días.\nAdiós.\n")


async def test_a_name_that_is_no_utf8_does_not_stop_the_others(
    address: str, succeeding: Deployment, recordings: list[Path], old_name: Path
) -> None:
    """File names may be any bytes. An address that cannot be sent fails alone."""
    folder = recordings[0].parent / "out"
    address_of_bytes = os.fsdecode(b"https://example.com/Ren\xe9.wav")
    ended = await run(address, "transcribe", recordings[0], old_name, address_of_bytes, recordings[1], "-o", folder)
    assert ended.code == exit_codes.FAILED
    assert ended.err.count("not valid UTF-8") == 1
    assert "3 of 4 files transcribed, 1 failed" in ended.err
    assert sorted(os.fsencode(path.name) for path in folder.iterdir()) == [b"Jos\xe9.txt", b"one.txt", b"two.txt"]
    shown = {request.transcription.display_name for request in succeeding.jobs.created}
    assert shown == {"one.wav", "two.mp3", "Jos\N{REPLACEMENT CHARACTER}.wav"}


async def test_an_option_that_is_no_utf8_is_refused(address: str, recordings: list[Path]) -> None:
    """An option that cannot be sent is quoted."""
    ended = await run(address, "transcribe", recordings[0], "--hotword", os.fsdecode(b"Jos\xe9"))
    assert ended.code == exit_codes.USAGE
    assert "not valid UTF-8: 'Jos?'" in ended.err


@pytest.mark.parametrize("size", [1000, 3_000_000])
async def test_standard_input_is_transcribed(address: str, succeeding: Deployment, size: int) -> None:
    """`-` reads a recording of any size from a pipe."""
    async with tiro(address, "transcribe", "-", stdin=asyncio.subprocess.PIPE) as process:
        ended = await end_of(process, bytes(size))
    assert ended == Ended(exit_codes.OK, "Buenos días.\nAdiós.\n", "")
    sent = succeeding.jobs.created[0].transcription.content or succeeding.uploads.stored
    assert len(sent) == size


@pytest.mark.parametrize("command", ["transcribe", "listen"])
async def test_standard_input_that_is_a_terminal_is_refused(address: str, command: str) -> None:
    """`-` without a pipe is a usage error, and does not wait for somebody to type a recording."""
    ours, terminal = os.openpty()
    try:
        async with tiro(address, command, "-", stdin=terminal) as process:
            ended = await end_of(process)
    finally:
        os.close(ours)
        os.close(terminal)
    assert ended.code == exit_codes.USAGE
    assert "standard input is a terminal" in " ".join(ended.err.split())


async def test_a_failed_job_is_reported(address: str, deployment: Deployment, recordings: list[Path]) -> None:
    """A failed job is reported with its reason, and the exit code is that of failed jobs."""
    failed = Transcription(state=Transcription.STATE_FAILED)
    failed.error.CopyFrom(invalid_argument(reasons.ERROR_REASON_AUDIO_UNDECODABLE, "undecodable").to_status())
    deployment.jobs.events = [WatchTranscriptionResponse(sequence=1, state_changed=failed)]
    ended = await run(address, "transcribe", recordings[0])
    assert ended == Ended(exit_codes.FAILED, "", f"{recordings[0]}: undecodable (AUDIO_UNDECODABLE)\n")


async def test_a_job_that_cannot_be_watched_is_named(
    address: str, deployment: Deployment, recordings: list[Path]
) -> None:
    """The error has the name of the job, which continues without the command."""
    deployment.jobs.watch_refusal = TiroError(grpc.StatusCode.INTERNAL, reasons.ERROR_REASON_INTERNAL, "broken")
    ended = await run(address, "transcribe", recordings[0])
    assert (ended.code, ended.out) == (exit_codes.INTERNAL, "")
    assert re.fullmatch(rf"{recordings[0]}: broken \(INTERNAL\); its job is transcriptions/[0-9a-f-]+\n", ended.err)


async def test_no_service(unused_address: str) -> None:
    """Without a service the error is one line with the setting to check, and the exit code is UNREACHABLE."""
    ended = await run(unused_address, "jobs", "list")
    assert ended.code == exit_codes.UNREACHABLE
    (line,) = ended.err.splitlines()
    assert "TIRO_ADDRESS" in line


async def test_a_wrong_key(address: str, deployment: Deployment) -> None:
    """With a refused key the exit code is UNAUTHENTICATED."""
    refused = TiroError(grpc.StatusCode.UNAUTHENTICATED, reasons.ERROR_REASON_API_KEY_INVALID, "not known")
    deployment.jobs.failures = [refused]
    ended = await run(address, "--api-key", "tiro_wrong", "jobs", "list")
    assert ended == Ended(exit_codes.UNAUTHENTICATED, "", "tiro: not known (API_KEY_INVALID)\n")
    assert deployment.jobs.metadata[0]["authorization"] == "Bearer tiro_wrong"


async def test_interrupting_cancels_active_jobs(address: str, deployment: Deployment, recordings: list[Path]) -> None:
    """Ctrl-C cancels active jobs, and writes no file."""
    deployment.jobs.watch_holds = True
    folder = recordings[0].parent / "out"
    async with tiro(address, "transcribe", recordings[0], "-o", folder) as process:
        await deployment.jobs.watching.wait()
        process.send_signal(signal.SIGINT)
        ended = await end_of(process)
    assert ended.code == exit_codes.INTERRUPTED
    assert f"{recordings[0]}: cancelled" in ended.err
    assert len(deployment.jobs.cancelled) == 1
    assert not folder.exists()


async def test_interrupting_names_the_jobs_that_continue(
    address: str, deployment: Deployment, recordings: list[Path]
) -> None:
    """After Ctrl-C a job that cannot be cancelled is named."""
    deployment.jobs.watch_holds = True
    folder = recordings[0].parent / "out"
    async with tiro(address, "transcribe", recordings[0], "-o", folder) as process:
        await deployment.jobs.watching.wait()
        ended_before = TiroError(
            grpc.StatusCode.FAILED_PRECONDITION, reasons.ERROR_REASON_TRANSCRIPTION_ENDED, "it is over"
        )
        deployment.jobs.failures = [ended_before]
        process.send_signal(signal.SIGINT)
        ended = await end_of(process)
    assert ended.code == exit_codes.INTERRUPTED
    assert f"{recordings[0]}: continues as transcriptions/" in ended.err
    assert not folder.exists()


async def test_jobs_are_cancelled_and_deleted(address: str, deployment: Deployment) -> None:
    """Several jobs can be cancelled at once. One that fails does not stop the others, and sets the exit code."""
    refusal = TiroError(grpc.StatusCode.FAILED_PRECONDITION, reasons.ERROR_REASON_TRANSCRIPTION_ENDED, "it is over")
    deployment.jobs.failures = [refusal]
    ended = await run(address, "jobs", "cancel", "one", "two")
    assert (ended.code, ended.out) == (exit_codes.FAILED, "transcriptions/two cancelled\n")
    assert ended.err == "transcriptions/one: it is over (TRANSCRIPTION_ENDED)\n"
    ended = await run(address, "jobs", "delete", "--yes", "one")
    assert (ended.code, ended.out) == (exit_codes.OK, "transcriptions/one deleted\n")
    assert deployment.jobs.deleted == ["transcriptions/one"]
    ended = await run(address, "jobs", "delete", "-y", "--audio-only", "two")
    assert ended.out == "transcriptions/two has no recording any more\n"


async def test_a_deletion_is_confirmed(address: str, deployment: Deployment) -> None:
    """Without a terminal nobody can be asked, so `--yes` is required."""
    async with tiro(address, "jobs", "delete", "one", stdin=asyncio.subprocess.DEVNULL) as process:
        ended = await end_of(process)
    assert ended.code == exit_codes.USAGE
    assert "--yes" in ended.err
    assert deployment.jobs.deleted == []


async def test_jobs_in_a_pipe_have_whole_names(address: str, deployment: Deployment) -> None:
    """A table that is read by a program has one line for each job, with nothing cut off."""
    name = "a recording with a rather long name, as people give them, and one more clause.wav"
    deployment.jobs.jobs = [Transcription(name=f"transcriptions/{uuid.uuid4()}", display_name=name)]
    ended = await run(address, "jobs", "list")
    assert [line.rstrip().endswith(name) for line in ended.out.splitlines()] == [False, True]


async def test_a_retry_prints_the_new_job(address: str) -> None:
    """`jobs retry` prints the new job's name for scripts."""
    ended = await run(address, "jobs", "retry", "one")
    assert (ended.code, ended.out.startswith("transcriptions/"), "one" in ended.out) == (exit_codes.OK, True, False)


async def test_jobs_as_json(address: str, deployment: Deployment) -> None:
    """`jobs list --json` prints a line of JSON for each job, up to the limit."""
    deployment.jobs.jobs = [
        Transcription(name=f"transcriptions/{index}", state=Transcription.STATE_RUNNING, audio_duration=seconds(2.5))
        for index in range(5)
    ]
    ended = await run(address, "jobs", "list", "--json", "--limit", "3")
    jobs = [json.loads(line) for line in ended.out.splitlines()]
    assert [job["name"] for job in jobs] == ["transcriptions/0", "transcriptions/1", "transcriptions/2"]
    assert (jobs[0]["state"], jobs[0]["audio_seconds"], jobs[0]["error"]) == ("running", 2.5, None)


@pytest.fixture
def offering(deployment: Deployment) -> Deployment:
    """A deployment with a free and a paid engine."""
    whisper = Engine.Model(name="base", language_codes=["de", "en", "es", "fi"], worker_count=1, free_job_slots=2)
    names = ("BATCH", "WORD_TIME_OFFSETS", "TRANSLATION", "LANGUAGE_DETECTION")
    whisper.capabilities[:] = [Engine.Capability.Value(f"CAPABILITY_{name}") for name in names]
    cloud = Engine.Model(name="streaming", language_codes=["en"], capabilities=[Engine.CAPABILITY_LIVE])
    cloud.price_per_minute.CopyFrom(Money(currency_code="USD", nanos=24_000_000))
    deployment.engines.engines = [
        Engine(name="engines/cloud", default_model="streaming", models=[cloud]),
        Engine(name="engines/whisper", taken_by_default=True, default_model="base", models=[whisper], worker_count=1),
    ]
    return deployment


@pytest.mark.usefixtures("offering")
async def test_engines_as_a_table(address: str) -> None:
    """`engines` prints a line for each model: languages, capabilities, workers, free slots and price."""
    ended = await run(address, "engines")
    assert (ended.code, ended.err) == (exit_codes.OK, "")
    _, cloud, whisper = [line.split() for line in ended.out.splitlines()]
    assert cloud == ["cloud", "streaming", "en", "0", "-", "0", "0.024", "USD"]
    assert whisper == ["whisper", "base", "(default)", "4", "words", "to-en", "detects", "1", "2", "-"]


@pytest.mark.usefixtures("offering")
async def test_engines_as_json(address: str) -> None:
    """`engines --json` prints a line of JSON for each engine."""
    ended = await run(address, "engines", "--json")
    cloud, whisper = [json.loads(line) for line in ended.out.splitlines()]
    assert (whisper["name"], whisper["taken_by_default"], whisper["worker_count"]) == ("whisper", True, 1)
    [base] = whisper["models"]
    assert base["capabilities"] == ["batch", "word_timestamps", "translation", "language_detection"]
    assert (base["languages"], base["free_job_slots"]) == (["de", "en", "es", "fi"], 2)
    assert base["price_per_minute"] is None
    assert cloud["models"][0]["price_per_minute"] == {"amount": "0.024", "currency": "USD"}


@pytest.mark.usefixtures("succeeding")
async def test_watching_a_job(address: str) -> None:
    """`jobs watch` prints each event and ends with the job."""
    ended = await run(address, "jobs", "watch", "some-job")
    assert [line.split() for line in ended.out.splitlines()] == [["1", "queued"], ["2", "running"], ["3", "succeeded"]]
    assert ended.code == exit_codes.OK


async def test_listening_to_a_file(address: str, deployment: Deployment, speech: Path) -> None:
    """`listen FILE` sends a file in its own format, and prints a line for each final."""
    ended = await run(address, "listen", speech, "--language", "en")
    assert ended == Ended(exit_codes.OK, "[00:00.00 - 00:00.30] all 3\n", "")
    config = deployment.live.received[0].config
    assert (config.format.sample_rate_hertz, config.recognition.language_code) == (8000, "en")


async def test_listening_to_standard_input(address: str, deployment: Deployment, speech: Path) -> None:
    """`-` sends the audio of a pipe as it comes."""
    async with tiro(address, "listen", "-", stdin=asyncio.subprocess.PIPE) as process:
        ended = await end_of(process, await asyncio.to_thread(speech.read_bytes))
    assert ended == Ended(exit_codes.OK, "[00:00.00 - 00:00.30] all 3\n", "")


async def test_replacements_from_options_and_a_file(
    address: str, deployment: Deployment, speech: Path, tmp_path: Path
) -> None:
    """Replacements are sent in the given order. A warning about a final is printed to stderr."""
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("new york = NYC\n\ntyro=Tyrone\n", encoding="utf-8-sig")
    deployment.live.warning = "a stage failed"
    ended = await run(address, "listen", speech, "--replace", f"@{pairs}", "--replace", "tyro=Tiro")
    assert ended == Ended(exit_codes.OK, "[00:00.00 - 00:00.30] all 3\n", "a stage failed (STAGE_FAILED)\n")
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


async def test_the_first_interrupt_waits_for_the_last_final(
    address: str, deployment: Deployment, tmp_path: Path
) -> None:
    """Ctrl-C ends the audio and prints the last final, with exit code 0."""
    async with tiro(address, "listen", silence(tmp_path / "long.wav", 60)) as process:
        await deployment.live.audio_received.wait()
        process.send_signal(signal.SIGINT)
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


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("transcribe", "ftp://example.com/a.wav"), "only http, https and s3"),
        (("transcribe", "a.wav", "-o", __file__), "is a file, not a folder"),
        (("--address", "http://127.0.0.1:50051", "engines"), "without http://"),
        (("--api-key", "tiro_\u00fc", "engines"), "printable ASCII"),
    ],
)
async def test_a_wrong_argument_is_explained(address: str, arguments: tuple[str, ...], why: str) -> None:
    """A wrong argument is a usage error with its reason."""
    ended = await run(address, *arguments)
    assert ended.code == exit_codes.USAGE
    assert why in " ".join(re.sub(r"[\u2500-\u257f]", " ", ended.err).split())


async def test_help_has_a_short_name(address: str) -> None:
    """`-h` is `--help`, for every command."""
    for arguments in ((), ("transcribe",), ("jobs", "list")):
        assert (await run(address, *arguments, "-h")).code == exit_codes.OK


async def test_several_formats_need_a_folder(address: str, recordings: list[Path]) -> None:
    """Several formats without a folder are refused before a file is sent."""
    ended = await run(address, "transcribe", recordings[0], "-f", "srt,vtt")
    assert ended.code == exit_codes.USAGE
    assert "--output-dir" in ended.err
