"""`tiro jobs` and its commands."""

import typer

from tiro_client.cli.jobs import changes, job_transcript, show, watch_job

app = typer.Typer(help="List, watch and change jobs, and get their transcripts.", no_args_is_help=True)
app.command("list")(show.list_jobs)
app.command("get")(show.get_job)
app.command("watch")(watch_job.watch_job)
app.command("transcript")(job_transcript.get_transcript)
app.command("cancel")(changes.cancel_jobs)
app.command("retry")(changes.retry_jobs)
app.command("delete")(changes.delete_jobs)
