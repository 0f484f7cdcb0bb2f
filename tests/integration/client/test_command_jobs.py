"""`tiro jobs` and `tiro engines` as processes of their own."""

import asyncio
import json
import uuid
from pathlib import Path

import grpc
import pytest
from google.type.money_pb2 import Money

from tests.integration.client.command import Ended, end_of, run, tiro
from tests.integration.client.servers import Deployment, seconds
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1.engine_pb2 import Engine
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_client.cli import exit_codes
from tiro_core.errors import TiroError

ONE = "01920000-0000-7000-8000-00000000aaaa"
TWO = "01920000-0000-7000-8000-00000000bbbb"
"""Ids as the service makes them: they begin with the time."""


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


async def test_jobs_are_cancelled_and_deleted(address: str, deployment: Deployment) -> None:
    """Several jobs can be cancelled at once. One that fails does not stop the others, and sets the exit code."""
    refusal = TiroError(grpc.StatusCode.FAILED_PRECONDITION, reasons.ERROR_REASON_TRANSCRIPTION_ENDED, "it is over")
    deployment.jobs.failures = [refusal]
    ended = await run(address, "jobs", "cancel", ONE, TWO)
    assert (ended.code, ended.out) == (exit_codes.FAILED, f"transcriptions/{TWO} cancelled\n")
    assert ended.err == f"{ONE}: it is over (TRANSCRIPTION_ENDED)\n"
    ended = await run(address, "jobs", "delete", "--yes", ONE)
    assert (ended.code, ended.out) == (exit_codes.OK, f"transcriptions/{ONE} deleted\n")
    assert deployment.jobs.deleted == [f"transcriptions/{ONE}"]
    ended = await run(address, "jobs", "delete", "-y", "--audio-only", TWO)
    assert ended.out == f"transcriptions/{TWO} has no recording any more\n"


async def test_a_deletion_is_confirmed(address: str, deployment: Deployment) -> None:
    """Without a terminal nobody can be asked, so `--yes` is required."""
    async with tiro(address, "jobs", "delete", ONE, stdin=asyncio.subprocess.DEVNULL) as process:
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
    ended = await run(address, "jobs", "retry", ONE)
    assert (ended.code, ended.out.startswith("transcriptions/"), ONE in ended.out) == (exit_codes.OK, True, False)


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


@pytest.mark.usefixtures("succeeding")
async def test_watching_a_job(address: str) -> None:
    """`jobs watch` prints each event and ends with the job."""
    ended = await run(address, "jobs", "watch", ONE)
    assert [line.split() for line in ended.out.splitlines()] == [["1", "queued"], ["2", "running"], ["3", "succeeded"]]
    assert ended.code == exit_codes.OK


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
    """`engines` prints a line for each model, the default engine first: languages, options, workers, slots, price."""
    ended = await run(address, "engines")
    assert (ended.code, ended.err) == (exit_codes.OK, "")
    _, whisper, cloud = [line.split() for line in ended.out.splitlines()]
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


@pytest.fixture
def two_jobs(deployment: Deployment) -> Deployment:
    """A deployment with two jobs."""
    states = {ONE: Transcription.STATE_SUCCEEDED, TWO: Transcription.STATE_FAILED}
    deployment.jobs.jobs = [
        Transcription(name=f"transcriptions/{job_id}", state=state, display_name="a talk.wav")
        for job_id, state in states.items()
    ]
    return deployment


@pytest.mark.usefixtures("two_jobs")
@pytest.mark.parametrize("short", ["aaaa", "AAAA", ONE[:8] + ONE[8:-4] + "aaaa", f"transcriptions/{ONE}"])
async def test_a_short_id(address: str, short: str) -> None:
    """The last characters of an id are enough if no other job has them."""
    ended = await run(address, "jobs", "get", short)
    assert (ended.code, ended.err) == (exit_codes.OK, "")
    assert f"transcriptions/{ONE}" in ended.out


@pytest.mark.usefixtures("two_jobs")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0192", "2 jobs have ids that begin or end with '0192'"),
        ("ffff", "none of the 1000 newest jobs"),
        ("nope", "'nope' is not the id of a job"),
        ("aaa", "'aaa' is not the id of a job"),
    ],
)
async def test_an_id_that_names_no_job(address: str, text: str, why: str) -> None:
    """The sentence says why: several jobs, none, or no id at all."""
    ended = await run(address, "jobs", "get", text)
    assert (ended.code, ended.out) == (exit_codes.REFUSED, "")
    assert why in ended.err


@pytest.mark.usefixtures("two_jobs")
@pytest.mark.parametrize("command", ["watch", "transcript", "cancel", "retry"])
async def test_every_command_takes_short_ids(address: str, command: str) -> None:
    """An id that is not found is not sent to the service."""
    ended = await run(address, "jobs", command, "ffff")
    assert ended.code == exit_codes.REFUSED
    assert "none of the 1000 newest jobs" in ended.err


@pytest.mark.usefixtures("two_jobs")
async def test_a_job_for_people(address: str) -> None:
    """`jobs get` prints a line for each field that has a value, and `--json` all of them."""
    ended = await run(address, "jobs", "get", TWO)
    job, recording, state = ended.out.splitlines()[:3]
    assert job == f"job:         transcriptions/{TWO}"
    assert (recording, state) == ("recording:   a talk.wav", "state:       failed")
    assert "{" not in ended.out
    assert json.loads((await run(address, "jobs", "get", TWO, "--json")).out)["state"] == "failed"


@pytest.mark.usefixtures("two_jobs")
async def test_jobs_of_a_state(address: str) -> None:
    """`--state` selects, and a list that is cut says so."""
    ended = await run(address, "jobs", "list", "--state", "failed")
    assert [line.split()[0] for line in ended.out.splitlines()] == ["job", TWO]
    assert ended.err == ""
    ended = await run(address, "jobs", "list", "--limit", "1")
    assert [line.split()[0] for line in ended.out.splitlines()] == ["job", ONE]
    assert ended.err == "there are more than 1: --limit shows more\n"


async def test_changes_as_json(address: str) -> None:
    """`--json` prints a line for each job that was changed."""
    ended = await run(address, "jobs", "cancel", ONE, "--json")
    assert json.loads(ended.out) == {"job": ONE, "name": f"transcriptions/{ONE}"}
