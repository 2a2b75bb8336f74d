"""The learned scores of a mask, from its trial: what some of the images teach about the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.domain.detector import overview
from app.domain.detector.disagreements import Disagreements
from app.domain.detector.learned import Trees, grow_trees
from app.domain.detector.predicted import F32, F64, Bool
from app.domain.detector.reading import Reader, learn_to_read, weighed
from app.domain.detector.segments import Segments
from app.domain.detector.trial import Record

PARTS = 4
_NOTHING = -9.0
_ROUNDS, _IMAGE_ROUNDS = 80, 60
# The scores of an image, from which its rank is made; see ``Verdict.scores``.
SCORES = ("reading", "practised", "disagreement", "critic", "softmin")


@dataclass(frozen=True)
class Verdict:
    """Scores, larger is worse: log odds of each disagreement and each segment, the ``reading`` of each segment (weighed
    by size), and ``scores`` (len(SCORES),) of the image: its worst segment by reading, the log odds learned from
    practice, its worst disagreement, the critic's log odds, softmin."""

    disagreements: F64
    segments: F64
    reading: F64
    scores: F64


def _worst(values: F64, count: int) -> F64:
    return np.sort(np.concatenate([values, np.full(count, _NOTHING)]))[::-1][:count]


def _rows(disagreements: Disagreements, segments: Segments, reading: F64) -> tuple[F32, F32]:
    """The features of both kinds of region, each with the reading of its segment beside them."""
    small = weighed(reading, segments)
    place = np.searchsorted(segments.rows, disagreements.segment).clip(0, max(0, segments.rows.size - 1))
    if segments.rows.size:
        within = np.where(segments.rows[place] == disagreements.segment, small[place], 0.0)
    else:
        within = np.zeros(disagreements.segment.size)
    worst = np.full(within.size, _worst(small, 1)[0])
    return (
        np.column_stack([disagreements.features, within, worst]).astype(np.float32),
        np.column_stack([segments.features, reading, small]).astype(np.float32),
    )


def _image_row(row: F32, reading: F64, pixels: F64, disagreements: F64, segments: F64) -> F32:
    area = max(1.0, float(pixels.sum()))
    positive, signed = (float((values * pixels).sum()) / area for values in (np.maximum(reading, 0), reading))
    read = [*_worst(reading, 3), positive, signed]
    return np.concatenate([row, read, _worst(disagreements, 2), _worst(segments, 2)]).astype(np.float32)


@dataclass(frozen=True)
class _Trees:
    """Learned from one half of the images, for the other."""

    disagreements: Trees
    segments: Trees
    images: Trees


@dataclass(frozen=True)
class Judges:
    """``readers``: one for each part of the set, that has learned from all others; ``trees``: one for each half."""

    readers: tuple[Reader, ...]
    trees: tuple[_Trees, _Trees]

    def verdict(self, part: int, disagreements: Disagreements, segments: Segments, row: F32, critic: float) -> Verdict:
        reading = self.readers[part].score(segments)
        small = weighed(reading, segments)
        trees = self.trees[part % 2]
        rows, segment_rows = _rows(disagreements, segments, reading)
        chances = trees.disagreements.score(rows), trees.segments.score(segment_rows)
        image = trees.images.score(_image_row(row, small, segments.pixels, *chances)[None])
        softmin = row[overview.NAMES.index("softmin")]
        scores = [_worst(small, 1)[0], image[0], _worst(chances[0], 1)[0], critic, softmin]
        return Verdict(*chances, small, np.array(scores))


def learn_judges(records: Sequence[Record], seed: int) -> Judges:
    """From the records of a set; those of each image are judged by what the others have taught."""
    given = [record for record in records if not record.family]
    readers = tuple(_reader([record for record in given if record.part != part], seed) for part in range(PARTS))
    reading = [readers[record.part].score(record.segments) for record in records]
    rows = [_rows(record.disagreements, record.segments, read) for record, read in zip(records, reading, strict=True)]
    halves = [[i for i, record in enumerate(records) if record.part % 2 == half] for half in (0, 1)]
    grown = []
    for half in (0, 1):
        others = [(rows[i], records[i]) for i in halves[1 - half]]
        grown.append(
            (
                _grown([(row[0], record.wrong, record.family) for row, record in others], _ROUNDS, seed),
                _grown([(row[1], record.segment_wrong, record.family) for row, record in others], _ROUNDS, seed),
            )
        )
    image_rows: list[F32] = []
    for record, read, row in zip(records, reading, rows, strict=True):
        trees = grown[record.part % 2]
        small, segments = weighed(read, record.segments), record.segments
        chances = trees[0].score(row[0]), trees[1].score(row[1])
        image_rows.append(_image_row(record.overview, small, segments.pixels, *chances)[None])
    every = np.ones(1, np.bool_)
    of_images = [
        _grown([(image_rows[i], every, records[i].family) for i in halves[1 - half]], _IMAGE_ROUNDS, seed)
        for half in (0, 1)
    ]
    return Judges(readers, (_Trees(*grown[0], of_images[0]), _Trees(*grown[1], of_images[1])))


def _reader(given: Sequence[Record], seed: int) -> Reader:
    if not given:
        return learn_to_read(np.zeros((0, 1), np.float32), np.zeros(0, np.int64), seed)
    evidence = np.concatenate([record.segments.evidence for record in given])
    return learn_to_read(evidence, np.concatenate([record.segments.given for record in given]), seed)


def _grown(rows: Sequence[tuple[F32, Bool, str]], rounds: int, seed: int) -> Trees:
    """Trees from the rows of masks as given against the spoiled rows of practice."""
    nothing = np.zeros((0, 1), np.float32)
    given = [features for features, _, family in rows if not family and len(features)]
    spoiled = [features[wrong] for features, wrong, family in rows if family and wrong.any()]
    return grow_trees(
        np.concatenate(given) if given else nothing, np.concatenate(spoiled) if spoiled else nothing, rounds, seed
    )
