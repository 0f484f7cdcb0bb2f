"""Starts the transcriber."""

from tiro_core.server.lifecycle import run_service
from tiro_transcriber.app import check, serve
from tiro_transcriber.settings import TranscriberSettings


def main() -> None:
    """Run a transcriber until SIGTERM or Ctrl-C."""
    run_service("transcriber", TranscriberSettings, serve, check=check)


if __name__ == "__main__":
    main()
