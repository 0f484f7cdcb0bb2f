"""Demonstrate Tiro on this machine: `make demo`, or `make demo AUDIO=path/to/any/file`.

It starts Tiro in a temporary folder and on free ports, transcribes a recording as a job, then as a live stream in real
time, and stops.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Mapping
from pathlib import Path

import av
from rich.console import Console
from rich.rule import Rule

from deploy.local.ports import Ports
from deploy.local.stack import BIN, ROOT, NotReady, environment, running_stack, wait_ready

SAMPLE = ROOT / "samples" / "dictation.wav"
LIVE_SECONDS_MAX = 60
"""The live stream of a longer recording ends here: it takes as long as the audio."""
RATE_HZ = 16_000

console = Console()


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("audio", nargs="?", default=str(SAMPLE), help="any recording (default: a sample)")
    parser.add_argument("--model", default="base", help="the model to use (default: base)")
    arguments = parser.parse_args()
    audio = _recording(arguments.audio)
    begun = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="tiro-demo-") as folder:
            _show(audio, arguments.model, Path(folder))
    except KeyboardInterrupt:
        sys.exit("\nstopped")
    except NotReady as error:
        sys.exit(f"demo: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    console.print(
        f"\nThat took {time.monotonic() - begun:.0f} s. `make run` keeps Tiro running; README.md shows how to use it."
    )


def _recording(text: str) -> Path:
    """The file that `AUDIO` names. Ends the program if it names none."""
    path = Path(text).expanduser()
    if "://" in text:
        sys.exit(f"demo: the demo takes files; `tiro transcribe {text}` takes addresses, while `make run` runs")
    if path.is_dir():
        sys.exit(f"demo: {path} is a folder, not a recording")
    if not path.is_file():
        sys.exit(f"demo: there is no file {path}")
    return path


def _show(audio: Path, model: str, folder: Path) -> None:
    settings = {**environment(folder, Ports.free()), "TIRO_MODEL": model, "TIRO_DEFAULT_MODEL": model}
    _title(f"the model {model}")
    _tiro(settings, "models", "pull", model)
    _title("starting NATS, ingest, streamer and transcriber")
    with running_stack(settings) as supervisor:
        begun = time.monotonic()

        def ready(name: str) -> None:
            console.print(f"  {name} ready after {time.monotonic() - begun:.1f} s")

        wait_ready(settings, supervisor, ready)
        _title(f"{audio.name} as a job")
        _tiro(settings, "transcribe", str(audio), "--format", "srt")
        _title(f"{audio.name} as a live stream, in real time")
        live = folder / "live.wav"
        _as_wav(audio, live)
        _tiro(settings, "listen", str(live))
        _title("stopping")


def _tiro(settings: Mapping[str, str], *arguments: str) -> None:
    subprocess.run([str(BIN / "tiro"), *arguments], env=dict(settings), check=True)


def _title(text: str) -> None:
    console.print(Rule(text, align="left"))


def _as_wav(source: Path, target: Path) -> None:
    """Write the beginning of a recording as 16 kHz mono. The user's own file needs no confined process."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    left = LIVE_SECONDS_MAX * RATE_HZ
    with av.open(str(source)) as container, wave.open(str(target), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                samples = piece.to_ndarray()[0][:left]
                out.writeframes(samples.tobytes())
                left -= len(samples)
            if left <= 0:
                break


if __name__ == "__main__":
    main()
