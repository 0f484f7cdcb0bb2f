"""Speak `scripts.toml` with synthesisers from Debian; write the recordings, their transcripts and a manifest.

    sudo apt-get install flite festival festvox-us-slt-hts espeak-ng
    .venv/bin/python samples/make_samples.py [--output FOLDER]

The same package versions give the same bytes: the synthesisers are deterministic, the noise is seeded, and the
containers are written without dates or random ids.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import av
import numpy as np
from numpy.typing import NDArray

Signal: TypeAlias = NDArray[np.float32]
"""Samples in [-1, 1), shaped [channels, samples]."""

HERE = Path(__file__).resolve().parent
CODECS = {".wav": "pcm_s16le", ".flac": "flac", ".ogg": "libopus"}
OPUS_BITS_PER_SECOND = 32_000
SPEECH_RMS = 10 ** (-23 / 20)
"""Level of every utterance: -23 dBFS leaves the peaks of these voices below full scale."""
EDGE_LEVEL = 10 ** (-45 / 20)
"""Sound below this level, relative to the peak, at an utterance's edges is the synthesiser's own silence."""
EDGE_MARGIN_SECONDS = 0.02
ROOM_NOISE_RMS = 10 ** (-72 / 20)
"""Under all speech: a microphone is never digitally silent."""
TAIL_MS = 800
NOISE_SEED = 1
SYNTHESIS_TIMEOUT_SECONDS = 60


class SampleError(Exception):
    """The samples cannot be made; the message says what to do."""


@dataclass(frozen=True)
class Voice:
    """How to run a synthesiser. `{wav}` in `command` is its output file; the text goes to its standard input."""

    command: tuple[str, ...]
    package: str
    data: str = ""
    """A folder that `data_package` installs, where the voice is not part of the program's own package."""
    data_package: str = ""


VOICES = {
    "rms": Voice(("flite", "-voice", "rms", "-f", "/dev/stdin", "-o", "{wav}"), "flite"),
    "awb": Voice(("flite", "-voice", "awb", "-f", "/dev/stdin", "-o", "{wav}"), "flite"),
    "slt": Voice(
        ("text2wave", "-eval", "(voice_cmu_us_slt_arctic_hts)", "-o", "{wav}"),
        "festival",
        data="/usr/share/festival/voices/us/cmu_us_slt_arctic_hts",
        data_package="festvox-us-slt-hts",
    ),
    "es": Voice(("espeak-ng", "-v", "es", "-s", "140", "--stdin", "-w", "{wav}"), "espeak-ng"),
}


@dataclass(frozen=True)
class Utterance:
    """A spoken text, and its position in the recording."""

    text: str
    voice: str
    channel: int
    start_seconds: float
    end_seconds: float


def require_synthesisers() -> None:
    """Raise `SampleError` that names the Debian packages this machine lacks."""
    missing = {voice.package for voice in VOICES.values() if shutil.which(voice.command[0]) is None}
    missing |= {voice.data_package for voice in VOICES.values() if voice.data and not Path(voice.data).is_dir()}
    if missing:
        raise SampleError(f"no synthesiser for every voice: apt-get install {' '.join(sorted(missing))}")


def synthesise(name: str, text: str, rate: int) -> Signal:
    """Speak `text`, shaped [1, samples] at `rate` hertz, at a fixed level and without silence at its edges."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder, "speech.wav")
        command = [part.format(wav=wav) for part in VOICES[name].command]
        done = subprocess.run(  # noqa: S603  the command is one of VOICES, the text is data on its standard input
            command, input=text.encode(), capture_output=True, timeout=SYNTHESIS_TIMEOUT_SECONDS, check=False
        )
        if done.returncode != 0 or not wav.exists():
            raise SampleError(f"{command[0]} failed ({done.returncode}): {done.stderr.decode(errors='replace')}")
        return level(trim(decode(wav, rate), rate))


def decode(path: Path, rate: int) -> Signal:
    """Read a recording as mono at `rate` hertz, shaped [1, samples]."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    with av.open(path) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).astype(np.float32)


def trim(signal: Signal, rate: int) -> Signal:
    """Cut the silence before and after the speech, so that the script alone sets the length of pauses."""
    loud = np.flatnonzero(np.abs(signal[0]) > EDGE_LEVEL * np.abs(signal).max())
    margin = round(EDGE_MARGIN_SECONDS * rate)
    return signal[:, max(0, loud[0] - margin) : loud[-1] + margin]


def level(signal: Signal) -> Signal:
    """Bring the voices to one loudness."""
    levelled: Signal = signal * np.float32(SPEECH_RMS / np.sqrt(np.mean(signal**2)))
    return levelled


def noise(samples: int, channels: int = 1, seed: int = NOISE_SEED) -> Signal:
    """White noise with an RMS of one, shaped [channels, samples]."""
    return np.random.default_rng(seed).standard_normal((channels, samples), dtype=np.float32)


def perform(script: dict[str, Any]) -> tuple[Signal, list[Utterance]]:
    """Say the utterances one after the other, each on its own channel, with the written pauses before them."""
    rate = script["sample_rate_hertz"]
    position = 0
    clips: list[tuple[Utterance, int, Signal]] = []
    for line in script["utterances"]:
        start = position + line["pause_ms"] * rate // 1000
        clip = synthesise(line["voice"], line["text"], rate)
        position = start + clip.shape[1]
        channel = line.get("channel", 0)
        said = Utterance(line["text"], line["voice"], channel, round(start / rate, 3), round(position / rate, 3))
        clips.append((said, start, clip))
    channels = 1 + max(said.channel for said, _, _ in clips)
    mixed = noise(position + TAIL_MS * rate // 1000, channels) * np.float32(ROOM_NOISE_RMS)
    for said, start, clip in clips:
        mixed[said.channel, start : start + clip.shape[1]] += clip[0]
    return mixed, [said for said, _, _ in clips]


def no_speech(rate: int) -> Signal:
    """Ten seconds without speech: digital silence, a fan's white noise, mains hum, wind; each lasts 2.5 s."""
    samples = rate * 5 // 2
    time = np.arange(samples, dtype=np.float32) / rate
    silence = np.zeros((1, samples), np.float32)
    fan = noise(samples) * np.float32(0.01)
    hum = np.float32(0.02) * (np.sin(2 * np.pi * 50 * time) + 0.3 * np.sin(2 * np.pi * 150 * time))[None, :]
    # Brown noise is summed white noise; taking a one-second average off keeps the sum from wandering out of range.
    steps = np.cumsum(noise(samples + rate, seed=NOISE_SEED + 1), axis=1)[0]
    wander = np.convolve(steps, np.full(rate, 1 / rate), mode="same")
    wind = (steps - wander)[rate // 2 : rate // 2 + samples][None, :]
    wind *= 0.03 / np.sqrt(np.mean(wind**2))
    return np.concatenate([silence, fan, hum, wind], axis=1).astype(np.float32)


def encode(path: Path, signal: Signal, rate: int) -> None:
    """Write 16-bit audio in the format that the file's suffix names.

    Raises:
        SampleError: the signal would clip.
    """
    peak = float(np.abs(signal).max())
    if peak >= 1:
        raise SampleError(f"{path.name} would clip: its peak is {peak:.2f} of full scale")
    layout = "mono" if signal.shape[0] == 1 else "stereo"
    interleaved = np.ascontiguousarray((signal * 32767).round().astype(np.int16).T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
    frame.sample_rate = rate
    # "bitexact" leaves out dates, encoder versions and the random serial number of ogg.
    with av.open(path, "w", options={"fflags": "+bitexact"}) as container:
        stream = cast(
            "av.AudioStream",  # PyAV types the stream by the codec's name, which is only known at run time
            container.add_stream(CODECS[path.suffix], rate=rate, layout=layout, options={"flags": "+bitexact"}),
        )
        if path.suffix == ".ogg":
            stream.bit_rate = OPUS_BITS_PER_SECOND
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_transcripts(path: Path, channels: int, utterances: list[Utterance]) -> None:
    """Write `NAME.txt`, a line per utterance in order of time, and `NAME.channelN.txt` where there are channels."""
    texts = {path.with_suffix(".txt"): utterances}
    if channels > 1:
        for channel in range(channels):
            own = [said for said in utterances if said.channel == channel]
            texts[path.with_suffix(f".channel{channel}.txt")] = own
    for file, said_there in texts.items():
        file.write_text("".join(f"{said.text}\n" for said in said_there), encoding="utf-8")


def make(output: Path) -> None:
    """Write every sample of `scripts.toml` into `output`, and `MANIFEST.jsonl` with one line for each."""
    require_synthesisers()
    output.mkdir(parents=True, exist_ok=True)
    lines = []
    for script in tomllib.loads((HERE / "scripts.toml").read_text(encoding="utf-8"))["sample"]:
        rate = script["sample_rate_hertz"]
        signal, utterances = perform(script) if script["utterances"] else (no_speech(rate), [])
        path = output / script["file"]
        encode(path, signal, rate)
        write_transcripts(path, signal.shape[0], utterances)
        lines.append(manifest_line(script, signal, utterances))
        sys.stderr.write(f"{path.name}: {signal.shape[1] / rate:.1f} s, {path.stat().st_size // 1024} KiB\n")
    (output / "MANIFEST.jsonl").write_text("".join(lines), encoding="utf-8")


def manifest_line(script: dict[str, Any], signal: Signal, utterances: list[Utterance]) -> str:
    """Describe a recording in the fields that the benchmarks read, and the utterances with their times."""
    record = {
        "file": script["file"],
        "seconds": round(signal.shape[1] / script["sample_rate_hertz"], 3),
        "rate": script["sample_rate_hertz"],
        "channels": signal.shape[0],
        "lang": script["language"],
        "ref": " ".join(said.text for said in utterances),
        "ref_tier": "gold" if utterances else "empty-expected",
        "expect_empty": not utterances,
        "category": "synthesised",
        "real_speech": False,
        "licence": "Apache-2.0",
        "utterances": [asdict(said) for said in utterances],
    }
    return json.dumps(record, ensure_ascii=False) + "\n"


def main() -> int:
    """Run the command line; 0 when every sample was written, 1 when one could not be made."""
    parser = argparse.ArgumentParser(description="Make the sample recordings and their transcripts.")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write into (default: beside this script)")
    try:
        make(parser.parse_args().output)
    except (SampleError, OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"make_samples: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
