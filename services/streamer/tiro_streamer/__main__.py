"""Start the streamer."""

from tiro_core.server.lifecycle import run_service
from tiro_streamer.app import check, serve
from tiro_streamer.settings import StreamerSettings


def main() -> None:
    """Run the streamer until SIGTERM or Ctrl-C."""
    run_service("streamer", StreamerSettings, serve, check=check)


if __name__ == "__main__":
    main()
