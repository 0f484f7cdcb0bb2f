"""Speed, cost and accuracy of Tiro on one machine. Each benchmark prints tables; `make bench` lists them."""

import os

# As in the worker, and before anything imports numpy: its BLAS would keep a thread on each core spinning, which counts.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
