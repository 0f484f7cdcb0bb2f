"""Blobs: data too large for one message, stored in parts that can be read and replaced one by one (docs/adr/0005).

So an interrupted upload continues at a part, and a reader can seek. The deployment chooses the store: `interface.py`
is its protocol, `factory.py` opens the chosen one.
"""
