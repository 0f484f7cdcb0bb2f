"""Transcribe a recording with the real Amazon Transcribe, as a worker does: `make smoke-aws`.

Amazon charges for the recording's length. Without credentials it prints that and succeeds.
"""

import argparse
import asyncio
import sys
import threading
from pathlib import Path

from awscrt.auth import AwsCredentialsProvider
from awscrt.exceptions import AwsCrtError
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup

from benchmarks.shared.decoded import decoded
from tiro_engines.interface import EngineSettings, RecognitionOptions, Segment, Window
from tiro_engines.registry import find_engine

ROOT = Path(__file__).resolve().parent.parent
CREDENTIALS_SECONDS_MAX = 15.0


def main() -> None:
    """Send the recording, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("audio", nargs="?", type=Path, default=ROOT / "samples" / "dictation.wav")
    parser.add_argument("--language", default="en")
    arguments = parser.parse_args()
    if not _has_credentials():
        print("SKIPPED: no AWS credentials in the environment, a profile, or a role; nothing was sent", file=sys.stderr)
        return
    engine = find_engine("amazon-transcribe").load("streaming", EngineSettings(models_dir=""))
    try:
        result = engine.transcribe(
            Window(decoded(arguments.audio), 0), RecognitionOptions(arguments.language), _show, threading.Event()
        )
    finally:
        engine.close()
    print(f"language: {result.language}")


def _has_credentials() -> bool:
    group = EventLoopGroup(1)
    chain = AwsCredentialsProvider.new_default_chain(ClientBootstrap(group, DefaultHostResolver(group)))
    try:
        chain.get_credentials().result(CREDENTIALS_SECONDS_MAX)
    except (AwsCrtError, TimeoutError, asyncio.CancelledError):
        return False
    return True


def _show(segment: Segment) -> None:
    print(f"{segment.start / 16_000:8.2f} {segment.end / 16_000:8.2f}  {segment.text}")


if __name__ == "__main__":
    main()
