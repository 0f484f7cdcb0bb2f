"""Blobs: what is too large for one message, stored in parts that can be read and replaced one by one.

So a broken upload goes on at a part, a reader can seek, and nothing half-written stays behind (docs/adr/0005). Where
the parts are is the deployment's choice: `interface.py` says what a store does, `opening.py` opens the chosen one.
"""
