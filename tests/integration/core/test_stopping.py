"""The stop deadline of a service, whatever its parts do: real processes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGALRM, SIGINT, SIGTERM, Signals

import pytest

from tests.support.processes import ServiceProcess, running
from tiro_core.startup import EXIT_STOP_OVERDUE

MODULE = "tests.support.stuck_service"
ROOT = Path(__file__).parents[3]
NEVER_SECONDS = "600"
SHORT_SECONDS = "0.5"
END_SECONDS_MAX = 30


@contextmanager
def stuck(way: str, *, grace_seconds: str) -> Iterator[ServiceProcess]:
    """A service that hangs in this way when it is stopped."""
    environment = {"TIRO_STUCK": way, "TIRO_GRACE_SECONDS": grace_seconds, "PYTHONPATH": str(ROOT)}
    with running(MODULE, environment, ready="ready") as service:
        yield service


def test_a_task_that_ignores_its_cancellation() -> None:
    """The process ends after grace time and margin with EXIT_STOP_OVERDUE, and its log names the task."""
    with stuck("swallowing", grace_seconds=SHORT_SECONDS) as service:
        assert service.stop() == EXIT_STOP_OVERDUE
        tasks = service.wait_for("stop_overdue")["tasks"]
        assert any(task.startswith("stubborn: _swallow > sleep") for task in tasks), tasks


def test_a_part_that_fails_beside_one_that_does_not_end() -> None:
    """Without a signal the process ends as well, when grace and margin are over, so that it can be started again."""
    with stuck("failing", grace_seconds=SHORT_SECONDS) as service:
        assert service.wait() == EXIT_STOP_OVERDUE
        assert service.wait_for("part_failed")
        tasks = service.wait_for("stop_overdue")["tasks"]
        assert any(task.startswith("stubborn: _swallow > sleep") for task in tasks), tasks


@pytest.mark.parametrize("signum", [SIGTERM, SIGINT])
def test_a_second_signal_does_not_wait_for_the_grace(signum: Signals) -> None:
    """A second signal ends the process at once, although the task ignores its cancellation."""
    with stuck("swallowing", grace_seconds=NEVER_SECONDS) as service:
        service.signal(SIGTERM)
        service.wait_for("stopping")
        service.signal(signum)
        service.wait_for("stopping_at_once")
        assert service.wait() == EXIT_STOP_OVERDUE
        assert service.wait_for("stop_overdue")["tasks"]


def test_a_blocked_event_loop() -> None:
    """Signals are handled while the event loop is blocked, and the log has the stack of the main thread."""
    with stuck("wedged", grace_seconds=NEVER_SECONDS) as service:
        service.wait_for("wedged")
        service.signal(SIGTERM)
        service.signal(SIGINT)  # another signal: the kernel merges two equal pending ones
        assert service.wait() == EXIT_STOP_OVERDUE
        assert "_never_return" in service.wait_for("stop_overdue")["main_thread"]


@pytest.mark.parametrize("way", ["thread", "native_thread"])
def test_a_thread_that_is_left(way: str) -> None:
    """A service that has stopped ends with status 0, although one of its threads still runs."""
    with stuck(way, grace_seconds=SHORT_SECONDS) as service:
        assert service.stop() == 0
        assert service.log[-1]["event"] == "stopped"


def test_a_log_that_is_not_read() -> None:
    """A process that cannot write its log is ended by SIGALRM."""
    environment = {"TIRO_STUCK": "unread", "TIRO_GRACE_SECONDS": SHORT_SECONDS, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", MODULE]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            while '"ready"' not in process.stderr.readline():
                pass
            process.terminate()
            assert process.wait(END_SECONDS_MAX) == -SIGALRM
        finally:
            process.kill()


@pytest.mark.parametrize("way", ["not", "handler"])
def test_a_service_that_stops_in_time(way: str) -> None:
    """A service that stops in time has status 0, also if a library handles another signal."""
    with stuck(way, grace_seconds=SHORT_SECONDS) as service:
        assert service.stop() == 0
        assert service.log[-1]["event"] == "stopped"
