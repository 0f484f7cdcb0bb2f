"""Logs of a service with faults of every kind: no words, no locals, no credentials. A real process."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import running
from tests.support.talkative_service import WORDS
from tiro_core.logs.exceptions import WITHHELD

MODULE = "tests.support.talkative_service"
ROOT = Path(__file__).parents[3]
PASSWORD = "a-password-of-NATS"  # noqa: S105 - no server has it
URL = f"nats://tiro:{PASSWORD}@nats.invalid:4222"
FAULTS = ("caught", "refused", "grouped", "exception_not_awaited", "thread_crashed", "exception_lost", "crashed")


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of the service."""
    return {"TIRO_NATS_URL": URL, "PYTHONPATH": str(ROOT)}


def test_faults_are_logged_without_their_data(environment: dict[str, str]) -> None:
    """Each fault has a line with its stack, and no line has the words or the password."""
    with running(MODULE, environment, ready="ready") as service:
        assert service.stop() == 1
        log = service.log
    assert "diabetes" not in str(log)
    assert PASSWORD not in str(log)
    events = [line["event"] for line in log]
    assert set(FAULTS) <= set(events), events
    assert "" not in events, "a line is not JSON"
    assert {line["service"] for line in log} == {"talkative"}
    caught = next(line for line in log if line["event"] == "caught")
    [exception] = caught["exception"]
    assert (exception["exc_type"], exception["exc_value"]) == ("ValueError", WITHHELD)
    assert [frame["name"] for frame in exception["frames"]] == ["serve", "fail"]
    assert all(set(frame) == {"filename", "lineno", "name"} for frame in exception["frames"])
    assert next(line for line in log if line["event"] == "named")["error"] == f"ValueError: {WITHHELD}"


def test_messages_without_callers_data_are_logged(environment: dict[str, str]) -> None:
    """Messages of connection errors and of Tiro's own errors are logged, with credentials redacted."""
    with running(MODULE, environment, ready="ready") as service:
        [refused] = service.wait_for("refused")["exception"]
        assert refused["exc_value"] == "cannot reach nats://***@nats.invalid:4222"
        assert service.wait_for("connecting")["url"] == "nats://***@nats.invalid:4222"
        assert "this message is Tiro's own" in service.wait_for("explained")["error"]


def test_a_setting_logs_all_messages(environment: dict[str, str]) -> None:
    """A setting logs messages of all exceptions, but no local variables and no credentials."""
    with running(MODULE, {**environment, "TIRO_LOG_EXCEPTION_MESSAGES": "true"}, ready="ready") as service:
        [exception] = service.wait_for("caught")["exception"]
        assert exception["exc_value"] == f"cannot align {WORDS!r}"
        assert PASSWORD not in str(service.log)


def test_the_console_format_has_the_same_limits(environment: dict[str, str]) -> None:
    """Lines in the console format have the class and the stack, too, and no locals."""
    command = [sys.executable, "-m", MODULE]
    settings = {**environment, "TIRO_LOG_FORMAT": "console"}
    with subprocess.Popen(command, env=settings, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        shown = ""
        for line in process.stderr:
            shown += line
            if "ready" in line:
                process.terminate()
    assert "ValueError: (withheld" in shown
    assert "in fail" in shown
    assert "diabetes" not in shown
    assert PASSWORD not in shown


def test_an_error_in_one_setting_does_not_quote_the_others(environment: dict[str, str]) -> None:
    """An invalid setting ends the service with one line, which names that setting only."""
    command = [sys.executable, "-m", MODULE]
    settings = {**environment, "TIRO_BLOB_STORE": "s3"}
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["talkative: settings: blob_store s3 needs s3_bucket (TIRO_S3_BUCKET)"]
