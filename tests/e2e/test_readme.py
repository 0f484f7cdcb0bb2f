"""The Python programs of the README run as they are printed: real processes, the real tiny.en."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.speech import pcm16, reference
from tests.support.stack import Stack

ROOT = Path(__file__).parents[2]
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.xdist_group("tiny.en stack")
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_the_readme(program: str, stack: Stack) -> None:
    """One transcribes a sample, the other one what a microphone would give it. Both print words of the sample."""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **stack.environment},
        input=pcm16("dictation.wav").tobytes(),
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert len(set(reference("dictation.wav").lower().split()) & set(ran.stdout.decode().lower().split())) > 20
