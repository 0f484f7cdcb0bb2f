"""The metrics of ingest, besides those of its calls."""

from prometheus_client import Counter, Gauge

UPLOADED_BYTES = Counter("tiro_ingest_uploaded_bytes_total", "Bytes of recordings that were stored")
UPLOADS_READ_BACK = Counter(
    "tiro_ingest_uploads_read_back_total", "Uploads that were read back from the store to be verified"
)
UPLOADS_ENDED = Counter("tiro_ingest_uploads_ended_total", "Uploads that ended, by state", ["state"])
MAINTAINING = Gauge(
    "tiro_ingest_maintaining", "1 in the one ingest service that expires uploads and sweeps the blob store"
)
CHECKS_APPLIED = Counter(
    "tiro_ingest_checks_applied_total", "Records that maintenance has removed or changed, by check", ["check"]
)
SWEPT_PARTS = Counter("tiro_ingest_swept_parts_total", "Parts of blobs that the sweep has checked")
SWEPT_BLOBS = Counter("tiro_ingest_swept_blobs_total", "Blobs that were removed because they have no record", ["kind"])
SWEEP_LAG_SECONDS = Gauge(
    "tiro_ingest_sweep_lag_seconds", "How far the sweep is behind: the age of its parts beyond the required one"
)
JOBS_WAITING = Gauge(
    "tiro_ingest_jobs_waiting", "Jobs, and parts of jobs, that wait for a free slot", ["engine", "model"]
)
CALLBACKS = Counter(
    "tiro_ingest_callbacks_total",
    "Deliveries of callbacks that were tried, by the resulting state",
    ["state"],
)
_SHADOW_LABELS = ["policy", "engine", "shadow_engine"]
SHADOWS = Counter("tiro_ingest_shadows_total", "Shadows that are over, by outcome", [*_SHADOW_LABELS, "outcome"])
SHADOW_WORDS = Counter("tiro_ingest_shadow_words_total", "Words of jobs that were compared", _SHADOW_LABELS)
SHADOW_EDITS = Counter(
    "tiro_ingest_shadow_edits_total", "Words in which shadows differ: inserted, left out, replaced", _SHADOW_LABELS
)
JOBS_CANCELLED = Counter("tiro_ingest_jobs_cancelled_total", "Jobs that were cancelled by their callers")
JOBS_CREATED = Counter("tiro_ingest_jobs_created_total", "Jobs that were accepted", ["engine", "model"])
