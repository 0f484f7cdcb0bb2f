"""`tiro listen`: live speech to text."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import typer

from tiro_client.cli import exit_codes
from tiro_client.cli.client_options import ClientOptions, options_of
from tiro_client.cli.console import notes
from tiro_client.cli.interrupts import first_interrupt
from tiro_client.cli.live.audio_source import AudioSource, AudioSourceError
from tiro_client.cli.live.file_audio import open_audio_file
from tiro_client.cli.live.microphone import open_microphone
from tiro_client.cli.live.output_arguments import LiveOutputArguments
from tiro_client.cli.live.session_display import show
from tiro_client.cli.option_groups import with_option_groups
from tiro_client.cli.recognition_arguments import RecognitionArguments
from tiro_client.cli.runner import run
from tiro_client.cli.standard_input import STANDARD_INPUT, standard_input
from tiro_client.live.config import RESUME_SECONDS, LiveConfig
from tiro_client.live.stream import transcribe_stream
from tiro_client.tasks import cancel_and_wait
from tiro_client.threads import in_daemon_thread


@with_option_groups
def listen(
    context: typer.Context,
    *,
    file: Annotated[
        Path | None,
        typer.Argument(help="WAV, FLAC or Ogg Opus file, sent in real time; or - for stdin. Default: the microphone."),
    ] = None,
    recognition: RecognitionArguments,
    freeze_stable: Annotated[
        bool, typer.Option("--freeze-stable", help="Stable words of a partial never change in the final.")
    ] = False,
    keep_recording: Annotated[
        bool, typer.Option("--keep-recording", help="Keep the audio as an upload, for transcription as a job.")
    ] = False,
    resume_seconds: Annotated[
        float,
        typer.Option(min=0, max=45, help="How long a lost connection may take to be replaced, in seconds."),
    ] = RESUME_SECONDS,
    output: LiveOutputArguments,
) -> None:
    """Transcribe live speech. Ctrl-C ends it after the last finals, a second Ctrl-C at once."""
    config = LiveConfig(
        freeze_stable=freeze_stable,
        keep_recording=keep_recording,
        resume_seconds=resume_seconds,
        **recognition.keywords(),
    )
    if file == Path(STANDARD_INPUT):
        file = standard_input()
    run(_listen(options_of(context), file, config, output))


async def _listen(options: ClientOptions, file: Path | None, config: LiveConfig, output: LiveOutputArguments) -> int:
    with first_interrupt() as interrupted:
        try:
            source = await _unless(interrupted, _source(file))
            if source is None:
                return exit_codes.INTERRUPTED
            config = dataclasses.replace(
                config, encoding=source.encoding, sample_rate=source.sample_rate, channels=source.channels
            )
            if file is None and not output.quiet:
                notes().print("listening; Ctrl-C ends")
            async with options.client() as client:
                events = transcribe_stream(client.open_stream(config), until(interrupted, source.chunks()))
                await show(events, output, interrupted)
        except AudioSourceError as error:
            notes().print(f"tiro: {error}")
            return exit_codes.USAGE
    return exit_codes.OK


async def _source(file: Path | None) -> AudioSource:
    """The microphone, or a file. A pipe whose writer is silent is waited for on a thread of its own."""
    if file is None:
        return open_microphone(_report)
    return await in_daemon_thread(lambda: open_audio_file(file))


async def _unless(interrupted: asyncio.Event, opening: Coroutine[Any, Any, AudioSource]) -> AudioSource | None:
    """What is opened. None if the event is set before."""
    task = asyncio.create_task(opening, name="opening")
    stopping = asyncio.create_task(_wait(interrupted), name="interrupt")
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        await cancel_and_wait(stopping)
        if not task.done():
            await cancel_and_wait(task)


def _report(text: str) -> None:
    notes().print(f"tiro: {text}")


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
