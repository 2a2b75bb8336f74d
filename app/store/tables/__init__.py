"""The rows. What is derived and kept only for speed is marked so."""

from app.store.tables.base import Base, now
from app.store.tables.comparisons import Comparison
from app.store.tables.cvat import CvatAnswer, CvatBatch, CvatFrame, CvatLabel, CvatLine, CvatPull
from app.store.tables.drafts import Draft
from app.store.tables.leases import Lease
from app.store.tables.pixels import Blob, ClassPixels, Raster, Tile
from app.store.tables.predictions import Prediction, Region
from app.store.tables.review import Batch, Decision, Flag, Group, Score
from app.store.tables.samples import ClassVersion, Dataset, Revision, Sample
from app.store.tables.suggestions import Suggesting, Suggestion
from app.store.tables.tallies import SampleClass, Tally
from app.store.tables.work import Document, Import, Job, Refusal, Run, Snapshot

__all__ = [
    "Base",
    "Batch",
    "Blob",
    "ClassPixels",
    "ClassVersion",
    "Comparison",
    "CvatAnswer",
    "CvatBatch",
    "CvatFrame",
    "CvatLabel",
    "CvatLine",
    "CvatPull",
    "Dataset",
    "Decision",
    "Document",
    "Draft",
    "Flag",
    "Group",
    "Import",
    "Job",
    "Lease",
    "Prediction",
    "Raster",
    "Refusal",
    "Region",
    "Revision",
    "Run",
    "Sample",
    "SampleClass",
    "Score",
    "Snapshot",
    "Suggesting",
    "Suggestion",
    "Tally",
    "Tile",
    "now",
]
