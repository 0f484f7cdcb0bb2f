"""`tiro transcribe` as a process of its own."""

import asyncio
import json
import os
import re
import signal
from pathlib import Path

import grpc
import pytest

from tests.integration.client.command import END_SECONDS_MAX, Ended, end_of, on_terminal, plain, run, silent_pipe, tiro
from tests.integration.client.servers import Deployment, seconds
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.engine_pb2 import Engine
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import WatchTranscriptionResponse
from tiro_client.cli import exit_codes
from tiro_core.errors import TiroError, invalid_argument


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


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_interrupting_cancels_active_jobs(
    address: str, deployment: Deployment, recordings: list[Path], signum: signal.Signals
) -> None:
    """Ctrl-C, or SIGTERM, cancels active jobs, and writes no file."""
    deployment.jobs.watch_holds = True
    folder = recordings[0].parent / "out"
    async with tiro(address, "transcribe", recordings[0], "-o", folder) as process:
        await deployment.jobs.watching.wait()
        process.send_signal(signum)
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


async def test_several_formats_need_a_folder(address: str, recordings: list[Path]) -> None:
    """Several formats without a folder are refused before a file is sent."""
    ended = await run(address, "transcribe", recordings[0], "-f", "srt,vtt")
    assert ended.code == exit_codes.USAGE
    assert "--output-dir" in ended.err


async def test_an_interrupt_ends_the_wait_for_a_pipe(address: str) -> None:
    """A pipe whose writer is silent does not keep the command."""
    async with silent_pipe(address, "transcribe", "-") as process:
        process.send_signal(signal.SIGINT)
        ended = await end_of(process)
    assert ended == Ended(exit_codes.INTERRUPTED, "", "")


@pytest.mark.usefixtures("succeeding")
async def test_one_transcript_is_written_to_a_file(address: str, recordings: list[Path], tmp_path: Path) -> None:
    """`--output` is one file; its suffix is the format, unless `--format` says otherwise."""
    target = tmp_path / "talk.SRT"
    options = ("--line-columns", "10", "--cue-lines", "1", "--reading-speed", "20")
    assert await run(address, "transcribe", recordings[0], "--output", target, *options) == Ended(0, "", "")
    assert [line for line in target.read_text().splitlines() if line.isdigit()] == ["1", "2", "3"]
    await run(address, "transcribe", recordings[0], "--output", target, "--format", "txt")
    assert target.read_text() == "Buenos días.\nAdiós.\n"


@pytest.mark.usefixtures("succeeding")
async def test_lines_with_times(address: str, recordings: list[Path]) -> None:
    """`--timestamps` begins each line of plain text with its times."""
    ended = await run(address, "transcribe", recordings[0], "--timestamps")
    assert ended.out == "[00:00.00 - 00:01.00] Buenos días.\n[00:01.00 - 00:02.50] Adiós.\n"


@pytest.mark.usefixtures("succeeding")
async def test_transcripts_as_json_lines(address: str, recordings: list[Path]) -> None:
    """`--json` prints a line for each recording, in order, with the text and with times in seconds."""
    ended = await run(address, "transcribe", *recordings, "--json", "--quiet")
    assert (ended.code, ended.err) == (exit_codes.OK, "")
    first, _, third = [json.loads(line) for line in ended.out.splitlines()]
    assert first["text"] == "Buenos días. Adiós."
    assert [segment["end_seconds"] for segment in first["segments"]] == [1.0, 2.5]
    assert first["job"].startswith("transcriptions/")
    assert third["file"] == str(recordings[2])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--output", "a.txt"), "takes one recording"),
        (("--output", "a.txt", "--output-dir", "b"), "not both"),
        (("--json", "--format", "srt"), "use --format json"),
        (("--timestamps", "--format", "srt", "--output-dir", "b"), "it is for plain text"),
    ],
)
async def test_options_that_contradict_each_other(
    address: str, recordings: list[Path], options: tuple[str, ...], why: str
) -> None:
    """They are refused before a file is sent."""
    ended = await run(address, "transcribe", *recordings, *options)
    assert ended.code == exit_codes.USAGE
    assert why in plain(ended.err)


@pytest.fixture
def offering(succeeding: Deployment) -> Deployment:
    """A deployment in which no worker runs the model `small`."""
    models = [Engine.Model(name="base", worker_count=1), Engine.Model(name="small")]
    succeeding.engines.engines = [
        Engine(name="engines/whisper", taken_by_default=True, default_model="base", models=models, worker_count=1)
    ]
    return succeeding


async def test_a_model_that_no_worker_runs(address: str, offering: Deployment, recordings: list[Path]) -> None:
    """It is refused at once, with the models that run and the way to start a worker. Nothing is sent."""
    ended = await run(address, "transcribe", recordings[0], "--model", "small")
    assert (ended.code, ended.out) == (exit_codes.UNREACHABLE, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("tiro: no worker runs the model 'small' of the engine 'whisper'. Models that run now: base.")
    assert "TIRO_MODEL=small tiro-transcriber" in line
    assert offering.jobs.created == []
    assert (await run(address, "transcribe", recordings[0])).code == exit_codes.OK


async def test_a_model_that_is_waited_for(address: str, offering: Deployment, recordings: list[Path]) -> None:
    """With `--wait` the job is created, and waits for a worker."""
    offering.jobs.waiting_for = "a worker with the model 'small'"
    ended = await run(address, "transcribe", recordings[0], "--model", "small", "--wait")
    assert (ended.code, ended.out) == (exit_codes.OK, "Buenos días.\nAdiós.\n")
    assert ended.err == f"{recordings[0]}: waiting for a worker with the model 'small'\n"


async def test_a_policy_whose_engine_no_worker_runs(address: str, offering: Deployment, recordings: list[Path]) -> None:
    """The engine of a policy is known when the job is created. The job is cancelled."""
    offering.jobs.waiting_for = "a worker with the model 'small'"
    ended = await run(address, "transcribe", recordings[0], "--engine", "best")
    assert ended.code == exit_codes.UNREACHABLE
    assert f"{recordings[0]}: it would wait for a worker with the model 'small'" in ended.err
    assert len(offering.jobs.cancelled) == 1


async def test_text_is_shown_while_it_is_made(address: str, deployment: Deployment, recordings: list[Path]) -> None:
    """On a terminal the segments of a job that still runs are printed, and how much is done."""
    segments = WatchTranscriptionResponse.Segments(segments=[Segment(text="Buenos días.", end_offset=seconds(1))])
    running = Transcription(state=Transcription.STATE_RUNNING, audio_duration=seconds(4))
    progress = WatchTranscriptionResponse.Progress(transcribed_duration=seconds(1), audio_duration=seconds(4))
    deployment.jobs.events = [
        WatchTranscriptionResponse(sequence=1, attempt=1, state_changed=running),
        WatchTranscriptionResponse(sequence=2, attempt=1, segments=segments),
        WatchTranscriptionResponse(sequence=3, attempt=1, progress=progress),
    ]
    deployment.jobs.watch_holds = True
    async with on_terminal(address, "transcribe", recordings[0]) as (process, terminal):
        shown = await terminal.read_until("00:01.00 of 00:04.00")
        assert "Buenos días." in shown
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), END_SECONDS_MAX)
