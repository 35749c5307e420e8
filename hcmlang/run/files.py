"""The names of the files that steps write, and of those at the top of a run directory (docs/run-directory.md)."""

# Results of steps.
TABLE = "table.arrow"
SCORES = "probabilities.npy"
MODEL = "model"
GROUPS = "groups.jsonl"
LEAKED = "leaked.jsonl"
HYPOTHESES = "hypotheses.jsonl"
PROBES = "probes.jsonl"
INSTANCES = "instances.jsonl"
REJECTED = "rejected.jsonl"
MAP = "map.parquet"

# The run directory.
SPEC = "spec.yaml"
JOURNAL = "journal.db"
METRICS = "metrics.json"
PREDICTIONS = "predictions.parquet"
AUGMENTED = "augmented.parquet"
REJECTED_TABLE = "rejected.parquet"
VERSIONS = "versions.json"
