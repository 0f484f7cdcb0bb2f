"""Shows a live session to its end, or to a while after Ctrl-C."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tiro_client.cli.console import clock, notes
from tiro_client.cli.live.output_arguments import LiveOutputArguments
from tiro_client.live.events import (
    EngineChanged,
    Final,
    LiveEvent,
    SessionEnded,
    SessionResumed,
    SessionStarted,
    WorkerChanged,
)
from tiro_client.tasks import cancel_and_wait

LAST_FINALS_SECONDS = 10.0
"""How long to wait for the last finals after Ctrl-C."""


async def show(
    events: AsyncGenerator[LiveEvent, None], output: LiveOutputArguments, interrupted: asyncio.Event | None = None
) -> None:
    """Show events to the session's end, or for `LAST_FINALS_SECONDS` after `interrupted` was set.

    Args:
        events: The events of the session.
        output: What is shown, and where.
        interrupted: Set by the first Ctrl-C. None for a session of another client.

    Raises:
        OSError: The output cannot be written.
    """
    try:
        async with asyncio.timeout(None) as timeout:
            limiting = asyncio.create_task(_limit_after(interrupted or asyncio.Event(), timeout), name="last-finals")
            try:
                async with aclosing(events):
                    with output.views() as views:
                        async for event in events:
                            for view in views:
                                view.show(event)
                            if not output.quiet:
                                _note(event, is_own=interrupted is not None)
            finally:
                await cancel_and_wait(limiting)
    except TimeoutError:
        notes().print(f"tiro: the last finals did not arrive within {LAST_FINALS_SECONDS:.0f} s")


def _note(event: LiveEvent, *, is_own: bool) -> None:
    """Print what concerns the session rather than its text."""
    match event:
        case SessionStarted(session_id=session_id) if is_own:
            notes().print(f"session {session_id}; to follow it elsewhere: `tiro watch {session_id}`", style="dim")
        case WorkerChanged(offset_seconds=offset):
            notes().print(f"the worker was lost; another one continues from {clock(offset)}", style="dim")
        case EngineChanged(offset_seconds=offset, engine=engine, model=model):
            notes().print(f"the engine failed; {engine} with {model} continues from {clock(offset)}", style="dim")
        case SessionResumed(away_seconds=seconds):
            notes().print(f"reconnected after {seconds:.1f} s; no audio and no text was lost", style="dim")
        case Final(warnings=warnings):
            for warning in warnings:
                notes().print(f"{warning.message} ({warning.reason})")
        case SessionEnded(upload=upload) if upload:
            notes().print(f"the recording is {upload}")


async def _limit_after(interrupted: asyncio.Event, timeout: asyncio.Timeout) -> None:
    await interrupted.wait()
    timeout.reschedule(asyncio.get_running_loop().time() + LAST_FINALS_SECONDS)
