"""The options of `tiro transcribe` that are about jobs only."""

from typing import Annotated

import typer

from tiro_client.jobs.options import Lane

Start = Annotated[float, typer.Option("--start", min=0, help="Begin here in each recording, in seconds.")]
End = Annotated[float | None, typer.Option("--end", min=0, help="End here in each recording, in seconds.")]
Prompt = Annotated[
    str, typer.Option("--prompt", help="Text that could have come before: it shows names, spelling and style.")
]
Translate = Annotated[bool, typer.Option("--translate", help="Write English, whatever is spoken.")]
Multilingual = Annotated[bool, typer.Option("--multilingual", help="The language changes within a recording.")]
Channels = Annotated[bool, typer.Option("--separate-channels", help="Transcribe each channel for itself, as of calls.")]
CallbackTo = Annotated[str, typer.Option("--callback", help="URL that each job is posted to once it is over.")]
InLane = Annotated[Lane, typer.Option("--lane", help="Which jobs these go before.")]
