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
    """Say that there is no GPU: all that this backend asks of torch, which is a download of gigabytes."""
    torch = ModuleType("torch")
    vars(torch)["cuda"] = SimpleNamespace(is_available=lambda: False)
    sys.modules["torch"] = torch


if __name__ == "__main__":
    main()
