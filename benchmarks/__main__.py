"""The entry to all benchmarks: `make bench` lists them, `make bench NAME=live OPTIONS="--streams 1,8"` runs one."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from benchmarks.shared.figures import figures_of, write_figures
from benchmarks.shared.report import machine, record


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark: a module with `add_options(parser)`, and `run(arguments)`, which returns tables as Markdown."""

    module: str
    section: str
    """The section of docs/benchmarks.md that `--record` writes."""

    def load(self) -> ModuleType:
        """Its module, imported on demand, because it imports what it measures."""
        return import_module(self.module)


BENCHMARKS = {
    "batch": Benchmark("benchmarks.batch.throughput", "Jobs through the system against the engine alone"),
    "batch-accuracy": Benchmark("benchmarks.batch.accuracy", "Text of recordings against plain faster-whisper"),
    "jobs": Benchmark("benchmarks.jobs.throughput", "Jobs around the engine"),
    "jobs-retained": Benchmark("benchmarks.jobs.retained", "Ingest with many retained jobs"),
    "jobs-memory": Benchmark("benchmarks.jobs.memory", "Memory of large jobs"),
    "blobs": Benchmark("benchmarks.blobs.throughput", "Recordings into the store and out again"),
    "live": Benchmark("benchmarks.live.latency", "Live streams on one machine"),
    "live-accuracy": Benchmark("benchmarks.live.accuracy", "Live decoding against the whole file"),
    "live-overhead": Benchmark("benchmarks.live.overhead", "What streamer and NATS add to live streams"),
    "live-soak": Benchmark("benchmarks.live.soak", "Memory over half an hour"),
    "live-takeover": Benchmark("benchmarks.live.takeover", "Taking over a live session"),
    "live-kills": Benchmark("benchmarks.kills.workers", "Workers killed in mid-sentence"),
    "live-peers": Benchmark("benchmarks.peers.live", "Live streams through Tiro and through WhisperLive"),
    "replacements": Benchmark("benchmarks.stages.replacements", "Replacements"),
    "amazon-streams": Benchmark("benchmarks.amazon.idle_streams", "Open streams of Amazon Transcribe"),
}


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark named by the first argument, with the remaining arguments as options. Without one, list all."""
    if not arguments:
        _list()
        return
    name, *options = arguments
    if name not in BENCHMARKS:
        sys.exit(f"there is no benchmark {name!r}; there is {', '.join(BENCHMARKS)}")
    benchmark = BENCHMARKS[name]
    module = benchmark.load()
    asked = _parser(name, module).parse_args(options)
    body = module.run(asked)
    print(machine(), body, sep="\n\n")
    if asked.figures:
        write_figures(asked.figures, figures_of(body))
    if asked.record is not None:
        record(asked.record or benchmark.section, body)


def _parser(name: str, module: ModuleType) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=name, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.add_options(parser)
    parser.add_argument(
        "--figures", type=Path, help="write the figures of the tables to this file, one JSON object in a line"
    )
    parser.add_argument(
        "--record", nargs="?", const="", metavar="SECTION", help="write the tables to docs/benchmarks.md"
    )
    return parser


def _list() -> None:
    print('make bench NAME=name OPTIONS="..." runs one; OPTIONS=--help explains its options.')
    print("Every benchmark takes --figures FILE (JSON lines) and --record (tables into docs/benchmarks.md).")
    for name, benchmark in BENCHMARKS.items():
        module = benchmark.load()
        own = argparse.ArgumentParser(prog="", add_help=False)
        module.add_options(own)
        print(f"\n  {name:15} {(module.__doc__ or '').splitlines()[0]}")
        print(" " * 17, " ".join(own.format_usage().removeprefix("usage:").split()))


if __name__ == "__main__":
    main(sys.argv[1:])
