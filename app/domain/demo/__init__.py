"""A demo set of the project's own: Mars-like terrain, drawn by code, with known faults and the truth beside them."""

from app.domain.demo.samples import (
    CLASSES,
    IMPRECISE,
    SIZE,
    WRONG,
    DemoSample,
    as_npz,
    generate,
    generate_unlabelled,
)

__all__ = ["CLASSES", "IMPRECISE", "SIZE", "WRONG", "DemoSample", "as_npz", "generate", "generate_unlabelled"]
