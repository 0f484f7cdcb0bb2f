"""A service whose calls and engine fail for marked input: `python -m tests.support.faulty_service tiro_ingest`.

A listed method raises when one of its arguments has the mark. The arguments are in the message and in a local variable:
so a fault anywhere below it would expose callers' data.
"""

import functools
import importlib
import inspect
import runpy
import sys
from collections.abc import Callable
from typing import Any

MARK = "fault-here"
"""A display name or hotword that makes a call fail."""
MARKED_WORD = 736_251
"""A word of the fake engine that makes it fail, in a job and live."""

_METHODS = {
    "tiro_ingest": ["tiro_ingest.api.transcription_service:TranscriptionService.CreateTranscription"],
    "tiro_streamer": ["tiro_streamer.session.start:SessionStarter._choose"],
    "tiro_transcriber": [
        "tiro_engines.fake.engine:segment_of",
        "tiro_engines.fake.session:segment_of",
    ],
}

BATCH_SECONDS_MAX = 5.0
"""How long the partial of one live session waits for that of another one."""


def _fail_on_mark(name: str, *arguments: object, **named: object) -> None:
    shown = f"{arguments} {named}"
    if MARK in shown or f"word={MARKED_WORD}" in shown or f"w{MARKED_WORD}" in shown:
        raise ValueError(f"{name} cannot handle {shown}")


def _patch(target: str) -> None:
    module_name, _, path = target.partition(":")
    owner: Any = importlib.import_module(module_name)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    original: Callable[..., Any] = getattr(owner, name)
    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def failing_call(*arguments: Any, **named: Any) -> Any:
            _fail_on_mark(name, *arguments, **named)
            return await original(*arguments, **named)

        setattr(owner, name, failing_call)
        return

    @functools.wraps(original)
    def failing(*arguments: Any, **named: Any) -> Any:
        _fail_on_mark(name, *arguments, **named)
        return original(*arguments, **named)

    setattr(owner, name, failing)


def _decode_partials_in_pairs() -> None:
    """Have the partials of two live sessions decoded in one batch whenever both are due."""
    from tiro_engines.fake.engine import FakeEngine  # noqa: PLC0415 - the other services do not need it
    from tiro_transcriber.engine import session_threads  # noqa: PLC0415
    from tiro_transcriber.sessions.load import SessionLoad  # noqa: PLC0415

    policy = session_threads.BatchPolicy(2, BATCH_SECONDS_MAX)
    session_threads.PARTIAL_SECONDS = BATCH_SECONDS_MAX  # the first one is not overdue while it waits
    FakeEngine.partial_batch_size_max = 2
    setattr(SessionLoad, "batch_policy", property(lambda _: policy))  # noqa: B010 - a property is not assigned to


def main() -> None:
    """Patch a service and run it."""
    service = sys.argv.pop(1)
    for target in _METHODS[service]:
        _patch(target)
    if service == "tiro_transcriber":
        _decode_partials_in_pairs()
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
