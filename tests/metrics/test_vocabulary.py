"""The table of arrays: every array of a world of `metrics.cases` is as the table describes it."""

from __future__ import annotations

import numpy as np
import pytest

from metrics import pages
from metrics.cases import world
from metrics.vocabulary import ARRAYS, PEER_OF, Array, Source, arrays_from

KINDS = {"real": "f", "integer": "i", "bool": "b"}


def test_a_world_has_every_array_of_the_table() -> None:
    assert {*world("partial"), "rng"} == ARRAYS.keys()


@pytest.mark.parametrize(
    "array", [array for array in ARRAYS.values() if array.name != "rng"], ids=lambda array: array.name
)
def test_an_array_has_the_shape_and_the_type_of_the_table(array: Array) -> None:
    values, sizes = np.asarray(world("partial")[array.name]), {"C": 1, "H": 16, "W": 16, "K": 3, "P": 3}
    axes = array.shape.split(" or ")[-1].split(", ") if array.shape else []
    assert values.shape == tuple(sizes.get(axis, 3000 if axis in "NM" else 6) for axis in axes)
    assert values.dtype.kind == KINDS[array.values]


def test_rows_are_images() -> None:
    arrays = world("few")
    chosen = np.arange(60) % 4 == 0
    for name, array in ARRAYS.items():
        if array.per_image:
            assert array.count(arrays[name]) == 60
            assert array.count(array.rows(arrays[name], chosen)) == 15
    np.testing.assert_array_equal(
        ARRAYS["peer_mean"].rows(arrays["peer_mean"], chosen), arrays["peer_mean"][:, ::4]
    )
    assert {name for name, array in ARRAYS.items() if array.shape and not array.per_image} == {
        "real",
        "samples",
    }


def test_an_array_of_peers_is_made_of_an_array_of_the_pass() -> None:
    assert PEER_OF.keys() == arrays_from(Source.PEERS)
    for name, of in PEER_OF.items():
        assert ARRAYS[of].source is Source.PASS
        assert ARRAYS[name].shape == f"P, {ARRAYS[of].shape}"
        assert ARRAYS[name].unit == ARRAYS[of].unit


def test_every_array_has_one_source_and_a_row_in_the_overview() -> None:
    assert sum(len(arrays_from(source)) for source in Source) == len(ARRAYS)
    overview = pages.index({})
    for name, array in ARRAYS.items():
        assert f"| `{name}` | " in overview
        assert array.meaning
