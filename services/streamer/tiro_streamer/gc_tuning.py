"""Python's garbage collector, set for a streamer: it holds many objects, and leaves little garbage in cycles."""

import gc

YOUNG_OBJECTS_MAX = 10_000
"""Objects that are created between two searches for cycles among the youngest.

With Python's default of 700, at 200 streams, the searches took 7 to 17 % of the process's time, in pauses of up to
0.16 s, and found fewer than 1000 objects in 20 s. Sessions that are cut off do leave cycles, with their audio: much
larger thresholds let 30 MiB of it accumulate.
"""
SEARCHES_A_GENERATION = 3
"""After this many searches of a generation, the next older one is searched as well. With Python's default of 10, what a
long session leaves would stay for hundreds of thousands of objects more."""


def tune_garbage_collector() -> None:
    """Search seldom, and never among the objects that exist already: modules and the like, which stay to the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, SEARCHES_A_GENERATION, SEARCHES_A_GENERATION)
