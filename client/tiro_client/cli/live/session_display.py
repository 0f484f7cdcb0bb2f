"""Shows a live session to its end, or to a while after Ctrl-C."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tiro_client.cli.console import notes, results
from tiro_client.cli.live.view import view_on
from tiro_client.live.events import Final, LiveEvent, SessionEnded, SessionResumed, SessionStarted
from tiro_client.tasks import cancel_and_wait

LAST_FINALS_SECONDS = 10.0
"""How long to wait for the last finals after Ctrl-C."""


async def show(events: AsyncGenerator[LiveEvent, None], interrupted: asyncio.Event | None = None) -> None:
    """Show events to the session's end, or for `LAST_FINALS_SECONDS` after `interrupted` was set."""
    try:
        async with asyncio.timeout(None) as timeout:
            limiting = asyncio.create_task(_limit_after(interrupted or asyncio.Event(), timeout), name="last-finals")
            try:
                async with aclosing(events):
                    with view_on(results()) as view:
                        async for event in events:
                            view.show(event)
                            _note(event)
            finally:
                await cancel_and_wait(limiting)
    except TimeoutError:
        notes().print(f"tiro: the last finals did not arrive within {LAST_FINALS_SECONDS:.0f} s")


def _note(event: LiveEvent) -> None:
    """Print what concerns the session rather than its text."""
    match event:
        case SessionStarted(session_id=session_id) if notes().is_terminal:
            notes().print(f"to follow this session elsewhere: `tiro watch {session_id}`", style="dim")
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
