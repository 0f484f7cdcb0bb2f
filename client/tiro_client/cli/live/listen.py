"""`tiro listen`: live speech to text."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import typer

from tiro_client.calls.tasks import cancel_and_wait
from tiro_client.cli import exit_codes
from tiro_client.cli.console import notes, results
from tiro_client.cli.interrupts import first_interrupt
from tiro_client.cli.live.audio_source import AudioSource, AudioSourceError
from tiro_client.cli.live.file_audio import open_audio_file
from tiro_client.cli.live.microphone import open_microphone
from tiro_client.cli.live.view import view_on
from tiro_client.cli.recognition_options import Engine, Hotwords, Language, Model, Region
from tiro_client.cli.session import ClientOptions, options_of, run
from tiro_client.live.config import RESUME_SECONDS, LiveConfig
from tiro_client.live.events import LiveEvent, SessionEnded, SessionResumed, SessionStarted
from tiro_client.live.stream import transcribe_stream

LAST_FINALS_SECONDS = 10.0
"""How long the last finals are waited for after Ctrl-C."""


def listen(
    context: typer.Context,
    *,
    file: Annotated[
        Path | None,
        typer.Argument(help="WAV, FLAC or Ogg Opus, sent in real time. The microphone when not given."),
    ] = None,
    engine: Engine = "",
    model: Model = "",
    language: Language = "",
    hotwords: Hotwords = None,
    region: Region = "",
    freeze_stable: Annotated[
        bool, typer.Option("--freeze-stable", help="A stable word stays as it is in the final too.")
    ] = False,
    keep_recording: Annotated[
        bool, typer.Option("--keep-recording", help="Keep the audio as an upload, to transcribe it again as a job.")
    ] = False,
    resume_seconds: Annotated[
        float,
        typer.Option(min=0, max=45, help="How long a lost connection is tried to be replaced."),
    ] = RESUME_SECONDS,
) -> None:
    """Transcribe live speech. Ctrl-C ends it after the last words; a second one at once."""
    recognition = LiveConfig(
        engine=engine,
        model=model,
        language=language,
        hotwords=hotwords or (),
        region=region,
        freeze_stable=freeze_stable,
        keep_recording=keep_recording,
        resume_seconds=resume_seconds,
    )
    run(_listen(options_of(context), file, recognition))


async def _listen(options: ClientOptions, file: Path | None, recognition: LiveConfig) -> int:
    try:
        source: AudioSource = open_microphone() if file is None else open_audio_file(file)
        config = dataclasses.replace(recognition, encoding=source.encoding, sample_rate=source.sample_rate)
        if file is None:
            notes().print("listening; Ctrl-C ends")
        async with options.client() as client:
            with first_interrupt() as interrupted:
                events = transcribe_stream(client.open_stream(config), until(interrupted, source.chunks()))
                await show(events, interrupted)
    except AudioSourceError as error:
        notes().print(f"tiro: {error}")
        return exit_codes.USAGE
    return exit_codes.OK


async def show(events: AsyncGenerator[LiveEvent, None], interrupted: asyncio.Event) -> None:
    """Show events to the session's end, or for a while after Ctrl-C."""
    try:
        async with asyncio.timeout(None) as patience:
            deadline = asyncio.create_task(_lose_patience(interrupted, patience), name="patience")
            try:
                async with aclosing(events):
                    with view_on(results()) as view:
                        async for event in events:
                            view.show(event)
                            _note(event)
            finally:
                await cancel_and_wait(deadline)
    except TimeoutError:
        notes().print(f"tiro: the last words did not come within {LAST_FINALS_SECONDS:.0f} s")


def _note(event: LiveEvent) -> None:
    """Say beside the text what is worth knowing."""
    match event:
        case SessionStarted(session_id=session_id) if notes().is_terminal:
            notes().print(f"others follow this session with `tiro watch {session_id}`", style="dim")
        case SessionResumed(away_seconds=seconds):
            notes().print(f"the connection was lost for {seconds:.1f} s; nothing else was", style="dim")
        case SessionEnded(upload=upload) if upload:
            notes().print(f"the recording is {upload}")


async def _lose_patience(interrupted: asyncio.Event, patience: asyncio.Timeout) -> None:
    await interrupted.wait()
    patience.reschedule(asyncio.get_running_loop().time() + LAST_FINALS_SECONDS)


async def until(interrupted: asyncio.Event, audio: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The audio, until it ends or the event is set."""
    async with aclosing(audio):
        stopping = asyncio.create_task(_wait(interrupted), name="interrupt")
        reading: asyncio.Task[bytes | None] | None = None
        try:
            while True:
                reading = asyncio.create_task(_next(audio), name="audio")
                await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
                piece = reading.result() if reading.done() else None
                if piece is None:
                    return
                yield piece
        finally:
            await cancel_and_wait(stopping)
            if reading is not None:
                await cancel_and_wait(reading)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _next(audio: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(audio, None)
