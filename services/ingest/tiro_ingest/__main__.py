"""Starts ingest."""

from tiro_core.server.lifecycle import run_service
from tiro_ingest.app import check, serve
from tiro_ingest.settings import IngestSettings


def main() -> None:
    """Run ingest until SIGTERM or Ctrl-C."""
    run_service("ingest", IngestSettings, serve, check=check)


if __name__ == "__main__":
    main()
