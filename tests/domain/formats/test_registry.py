"""Which format a source is taken for."""

import numpy as np
import pytest

from app.domain.formats import npz, pairs, registry
from app.domain.formats.base import Format
from app.domain.formats.source import ZipSource
from tests.domain.formats.test_npz import saved
from tests.domain.formats.test_source import zipped


def test_formats_are_told_by_content() -> None:
    assert registry.detect(ZipSource(zipped([("x.npz", saved({"images": np.zeros((1, 2, 2))}))]))) is npz
    assert registry.detect(ZipSource(zipped([("a.png", b"")]))) is pairs


def test_names_are_unique_and_found() -> None:
    names = [one.NAME for one in registry.FORMATS]
    assert len(set(names)) == len(names)
    assert names[0] == "npz"
    assert names[-1] == "pairs"
    found: Format = registry.by_name("pairs")
    assert found is pairs


def test_what_is_unknown_says_what_to_give() -> None:
    with pytest.raises(registry.UnknownFormat, match=r"nothing in set\.zip that can be imported; give an \.npz"):
        registry.detect(ZipSource(zipped([("a.txt", b"")]), "set.zip"))
    with pytest.raises(registry.UnknownFormat, match="no format 'pear'; choose one of npz"):
        registry.by_name("pear")
