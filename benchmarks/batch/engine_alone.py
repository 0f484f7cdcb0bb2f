"""The engine alone, in a process of its own: a plain loop with faster-whisper over the same files.

Reads paths from stdin, one in a line; an empty line begins a round. Answers each round with a line of JSON.
"""

import json
import sys
import time

import ctranslate2
from faster_whisper import WhisperModel, decode_audio


def main() -> None:
    """Load the model, report that, and serve rounds until stdin ends."""
    folder, threads = sys.argv[1], int(sys.argv[2])
    model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=threads)
    print(json.dumps({"ready": ctranslate2.__version__}), flush=True)
    paths: list[str] = []
    for line in sys.stdin:
        if line.strip():
            paths.append(line.strip())
            continue
        print(json.dumps(_round(model, paths)), flush=True)
        paths = []


def _round(model: WhisperModel, paths: list[str]) -> dict[str, object]:
    texts = []
    begun = time.perf_counter()
    for path in paths:
        samples = decode_audio(path)
        segments, _ = model.transcribe(
            samples,
            language="en",
            beam_size=5,
            word_timestamps=True,
            condition_on_previous_text=False,
            vad_filter=True,
        )
        texts.append(" ".join(segment.text.strip() for segment in segments))
    return {"seconds": time.perf_counter() - begun, "texts": texts}


if __name__ == "__main__":
    main()
