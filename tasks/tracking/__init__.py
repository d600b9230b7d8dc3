"""Records of what was built and decided, kept in MLflow. The only place that imports mlflow, and
only when something is recorded: importing it costs more than a second of CPU.

`record_build` writes one run per build, `record_quality` a point per version on the curves of a
knowledge base, `record_comparison` one run per arm and one above them, `record_dataset` one per
version of training rows, `record_night` one per part of a night and one above them, `record_live` a
point on an application's curves, `TrainingTracker` a training while it runs, `run_url` says where
it can be looked at, `prepare` makes the local store: call it before an MLflow server opens it.
"""

from llmops.tasks.tracking.build import (
    DATA_DOCS,
    BuildRecord,
    ConfigRecord,
    DocumentSet,
    record_build,
)
from llmops.tasks.tracking.comparison import ComparisonRecord, record_comparison
from llmops.tasks.tracking.datasets import DatasetRecord, record_dataset
from llmops.tasks.tracking.live import LiveRecord, attach_live, record_live
from llmops.tasks.tracking.night import NightPartRecord, NightRecord, record_night
from llmops.tasks.tracking.place import (
    Place,
    own_database,
    own_port,
    pages,
    place_of,
    served_at,
    shared,
    without_login,
)
from llmops.tasks.tracking.quality import QualityRecord, record_quality
from llmops.tasks.tracking.store import check, load, prepare, reach, run_url, tracking_uri
from llmops.tasks.tracking.training import TrainingTracker

__all__ = [
    "DATA_DOCS",
    "BuildRecord",
    "ComparisonRecord",
    "ConfigRecord",
    "DatasetRecord",
    "DocumentSet",
    "LiveRecord",
    "NightPartRecord",
    "NightRecord",
    "Place",
    "QualityRecord",
    "TrainingTracker",
    "attach_live",
    "check",
    "load",
    "own_database",
    "own_port",
    "pages",
    "place_of",
    "prepare",
    "reach",
    "record_build",
    "record_comparison",
    "record_dataset",
    "record_live",
    "record_night",
    "record_quality",
    "run_url",
    "served_at",
    "shared",
    "tracking_uri",
    "without_login",
]
