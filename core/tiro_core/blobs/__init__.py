"""Blobs: what is too large for one message, stored in parts that can be read and replaced one by one (docs/adr/0005).

So a broken upload continues at a part, and a reader can seek. Where the parts are is the deployment's choice:
`interface.py` says what a store does, `factory.py` opens the chosen one.
"""
