"""A NATS cluster of three nodes with fault injection, Tiro on it, load generators, and an audit of the store.

* `link`, `proxy`: a TCP proxy. Every connection between nodes, and from clients to nodes, goes through it.
* `node`, `disk`, `nats`, `monitoring`: the nats-server processes, their disks, and their monitoring ports.
* `faults`: the faults that can be injected into a node. A new fault is a context manager of a few lines.
* `deployment`: the services as processes. One that exits unasked is restarted, and counted.
* `callers`, `speakers`: load generators. Jobs that are submitted until they are accepted, live sessions in real time.
* `probes`, `watched`: outages of a plain call and of a new session, as measured from outside.
* `store`, `audit`: the content of the store at the end, compared with the promises.
* `trial`, `figures`, `aims`: a whole run, its results, and the bounds on them.
"""
