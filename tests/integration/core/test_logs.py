"""Logs of a service whose parts fail in every way: no words, no locals, no credentials. A real process."""

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
    """What the service is started with."""
    return {"TIRO_NATS_URL": URL, "PYTHONPATH": str(ROOT)}


def test_faults_are_logged_without_what_they_hold(environment: dict[str, str]) -> None:
    """Each fault has its line, with the stack, and none has the words or the password."""
    with running(MODULE, environment, ready="ready") as service:
        assert service.stop() == 1
        log = service.log
    assert "diabetes" not in str(log)
    assert PASSWORD not in str(log)
    events = [line["event"] for line in log]
    assert set(FAULTS) <= set(events), events
    assert "" not in events, "a line is no JSON"
    assert {line["service"] for line in log} == {"talkative"}
    caught = next(line for line in log if line["event"] == "caught")
    [exception] = caught["exception"]
    assert (exception["exc_type"], exception["exc_value"]) == ("ValueError", WITHHELD)
    assert [frame["name"] for frame in exception["frames"]] == ["serve", "fail"]
    assert all(set(frame) == {"filename", "lineno", "name"} for frame in exception["frames"])
    assert next(line for line in log if line["event"] == "named")["error"] == f"ValueError: {WITHHELD}"


def test_messages_that_quote_no_caller_are_shown(environment: dict[str, str]) -> None:
    """Of connections and of Tiro's own errors, without the credentials in them."""
    with running(MODULE, environment, ready="ready") as service:
        [refused] = service.wait_for("refused")["exception"]
        assert refused["exc_value"] == "cannot reach nats://***@nats.invalid:4222"
        assert service.wait_for("connecting")["url"] == "nats://***@nats.invalid:4222"
        assert "this message is Tiro's own" in service.wait_for("explained")["error"]


def test_an_operator_may_ask_for_all_messages(environment: dict[str, str]) -> None:
    """Messages of all exceptions come with a setting; local variables and credentials never do."""
    with running(MODULE, {**environment, "TIRO_LOG_EXCEPTION_MESSAGES": "true"}, ready="ready") as service:
        [exception] = service.wait_for("caught")["exception"]
        assert exception["exc_value"] == f"cannot align {WORDS!r}"
        assert PASSWORD not in str(service.log)


def test_the_console_shows_no_more(environment: dict[str, str]) -> None:
    """Lines for people have the same: class, stack, no locals."""
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
    """A setting that makes no sense is one plain line."""
    command = [sys.executable, "-m", MODULE]
    settings = {**environment, "TIRO_BLOB_STORE": "s3"}
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["talkative: settings: blob_store s3 needs s3_bucket (TIRO_S3_BUCKET)"]
