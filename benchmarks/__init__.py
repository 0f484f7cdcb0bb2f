"""What Tiro costs and gives on one machine; each module prints a table. `make help` lists them."""

import os

# As in the worker, and before anything imports numpy: its BLAS would keep a thread on each core spinning, which counts.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
