"""Workers: claim jobs and live sessions, run an engine, commit results."""
