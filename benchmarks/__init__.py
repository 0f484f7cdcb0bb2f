"""What Tiro costs and gives on one machine; each module prints a table. `make help` lists them."""

import tiro_transcriber  # noqa: F401 - before anything imports numpy: it keeps numpy to one BLAS thread, as the worker does
