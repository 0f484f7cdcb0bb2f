"""A NATS cluster of three nodes that can be broken in every way, Tiro on it, load for it, and an audit of what is left.

* `link`, `proxy`: every connection between nodes and to nodes goes through a TCP proxy that can go silent.
* `node`, `disk`, `nats`, `monitoring`: the three nats-server processes, each with a disk that can be filled.
* `faults`: what can happen to a node. A new fault is a context manager of a few lines.
* `deployment`: the services as processes, started again when they end by themselves, which is counted.
* `callers`, `speakers`: load. Jobs that callers insist on, live sessions that are spoken in real time.
* `probes`: for how long a plain call, or a new session, does not work.
* `store`, `audit`: what the store holds at the end, and whether that is what was promised.
* `trial`, `figures`, `aims`: all of that together, what it came to, and what it must come to.
"""
