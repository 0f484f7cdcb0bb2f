"""A NATS cluster of three nodes that can be broken in every way, Tiro on it, load for it, and an audit of what is left.

    links and proxy     every connection between nodes and to nodes goes through a TCP proxy that can go silent
    node, disk, nats    the three nats-server processes, each with a disk that can be filled
    faults              what can happen to a node; a new fault is a context manager of a few lines
    deployment          the services as processes, started again when they end, and counted
    callers, speakers   load: jobs that callers insist on, live sessions that are spoken in real time
    probes              how long a plain call, or a new session, does not work
    store, audit        what the store holds at the end, and whether that is what was promised
    aims                what must be true of a test's figures
"""
