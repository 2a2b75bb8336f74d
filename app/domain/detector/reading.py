"""Reading segments: what class would the data set itself give to a segment like this one?

A small network learns from the given masks to name a segment's class from its evidence (the model's mean log
probabilities, what the model sees in it, which classes lie around it, its colour and shape) and is asked about segments
of other images only. No kind of error is assumed. The score of a segment is log p(best other class) - log p(given
class), and counts in full from FULL pixels on.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from app.domain.detector.predicted import F32, F64, I64
from app.domain.detector.segments import Segments

FULL = 60.0
MEMBERS = 3
_HIDDEN = 24
_MOST_ROWS = 20_000
_FEWEST = 8  # segments of a class, to learn it
_LEAST = 1e-5


@dataclass(frozen=True)
class _Layers:
    weights: list[F64]
    biases: list[F64]


@dataclass(frozen=True)
class Reader:
    """``classes``: the channels it knows; of a segment given another one it has nothing to say (score 0)."""

    centre: F64
    spread: F64
    classes: I64
    members: tuple[_Layers, ...]

    def score(self, segments: Segments) -> F64:
        """log p(best other) - log p(given) of each segment, from about -11 to 11."""
        if not self.members or not segments.given.size:
            return np.zeros(segments.given.size)
        inputs = (segments.evidence - self.centre) / self.spread
        chance = np.mean([_forward(member, inputs) for member in self.members], axis=0) + _LEAST
        place = np.searchsorted(self.classes, segments.given).clip(0, self.classes.size - 1)
        known = self.classes[place] == segments.given
        here = np.arange(segments.given.size)
        own = chance[here, place].copy()
        chance[here, place] = 0
        return np.where(known, np.log(chance.max(axis=1)) - np.log(own), 0.0)


def weighed(scores: F64, segments: Segments) -> F64:
    """Scores of small segments count less."""
    return scores * np.minimum(1.0, segments.pixels / FULL)


def _forward(layers: _Layers, inputs: F64) -> F64:
    hidden = np.maximum(inputs @ layers.weights[0] + layers.biases[0], 0)
    out = hidden @ layers.weights[1] + layers.biases[1]
    if out.shape[1] == 1:  # two classes
        out = np.concatenate([-out / 2, out / 2], axis=1)
    out = np.exp(out - out.max(axis=1, keepdims=True))
    chance: F64 = out / out.sum(axis=1, keepdims=True)
    return chance


def learn_to_read(evidence: F32, given: I64, seed: int) -> Reader:
    """From the evidence (n, m) of segments and their given channels (n,); a Reader without members where n is too
    small or there is only one class."""
    counts = np.bincount(given) if given.size else np.zeros(1, np.int64)
    common = np.flatnonzero(counts >= _FEWEST)
    rows = np.flatnonzero(np.isin(given, common))
    if rows.size > _MOST_ROWS:
        rows = np.random.default_rng(seed).choice(rows, _MOST_ROWS, replace=False)
    width = evidence.shape[1]
    if common.size < 2 or rows.size < 20:
        return Reader(np.zeros(width), np.ones(width), common, ())
    inputs = evidence[rows].astype(np.float64)
    centre, spread = inputs.mean(axis=0), inputs.std(axis=0) + 1e-3
    members = []
    for member in range(MEMBERS):
        network = MLPClassifier(
            (_HIDDEN,), alpha=0.1, max_iter=40, learning_rate_init=3e-3, early_stopping=rows.size >= 400,
            random_state=seed + member,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit((inputs - centre) / spread, given[rows])
        members.append(_Layers(list(network.coefs_), list(network.intercepts_)))
    return Reader(centre, spread, common, tuple(members))
