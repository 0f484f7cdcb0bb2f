"""Workers: they claim jobs and live sessions, run an engine, and commit what it recognizes."""

import os

# Before anything imports numpy: its BLAS would keep a thread on every core spinning for matrices that one thread
# multiplies in a millisecond. The engine's own threads are the engine's settings.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
