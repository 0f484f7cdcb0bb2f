"""WhisperLive as a process of its own, in an environment of its own: `make bench NAME=live-peers`.

It is started as its README starts it with a model folder: one model for all clients. Arguments: port, model folder.
"""

import sys
from types import ModuleType, SimpleNamespace


def main() -> None:
    """Serve until the process is ended."""
    port, model = int(sys.argv[1]), sys.argv[2]
    _answer_for_torch()
    from whisper_live.server import TranscriptionServer  # noqa: PLC0415 - it imports torch

    TranscriptionServer().run(
        "127.0.0.1",
        port=port,
        backend="faster_whisper",
        faster_whisper_custom_model_path=model,
        single_model=True,
    )


def _answer_for_torch() -> None:
    """Stand in for torch, a download of gigabytes, of which this backend only asks whether there is a GPU."""
    torch = ModuleType("torch")
    vars(torch)["cuda"] = SimpleNamespace(is_available=lambda: False)
    sys.modules["torch"] = torch


if __name__ == "__main__":
    main()
