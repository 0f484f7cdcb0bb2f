"""The transcriber service, a worker: it claims jobs and live sessions, runs an engine, and commits the results."""

import os

# Set before numpy is imported: otherwise its BLAS keeps a thread on every core spinning for matrices that one thread
# multiplies in a millisecond. The threads of the engine are among its settings.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
