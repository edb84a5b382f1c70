"""Properties of every metric in the folders of `metrics`: a new file is tested without an edit here.

Exceptions, with their reasons, are in `expectations.py`.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

import metrics
from metrics.cases import LATENTS, ROWS, SIZES
from tests.metrics.expectations import EXPECTED, expected
from tests.metrics.harness import ARRAYS, FLOATS, PER_LATENT, VOCABULARY, arguments, score, value, world

every = pytest.mark.parametrize("name", list(metrics.names()))


def needs(*wanted: str, unless: str = "", directed: bool = False) -> Any:
    """Parametrised over the metrics that need any of these arrays; without those that lack the property."""
    return pytest.mark.parametrize(
        "name",
        [
            name
            for name in metrics.names()
            if (not wanted or {*wanted} & {*arguments(name)})
            and unless not in expected(name).not_invariant
            and (not directed or metrics.describe(name).higher_is_better is not None)
        ],
    )


def main_value(name: str, arrays: dict[str, Any]) -> float:
    return score(name, arrays)[metrics.describe(name).main]


def test_exceptions_are_of_metrics_that_exist_and_have_reasons() -> None:
    properties = {"latents", "values", "factors", "images", "scale", "sign", "ends", "order"}
    for name, exception in EXPECTED.items():
        assert name in metrics.names()
        assert exception.not_invariant.keys() <= properties
        assert all(len(reason) > 20 for reason in exception.not_invariant.values())


@every
def test_every_parameter_is_in_the_vocabulary_or_a_setting_with_a_default(name: str) -> None:
    for parameter in inspect.signature(metrics.function(name)).parameters.values():
        if parameter.name not in VOCABULARY:
            assert parameter.kind is parameter.KEYWORD_ONLY
            assert parameter.default is not parameter.empty


@every
def test_returns_finite_floats_the_first_of_them_the_main_value_within_its_range(name: str) -> None:
    found = score(name, world())
    about = metrics.describe(name)
    assert next(iter(found)) == about.main
    for key, number in found.items():
        assert key == name or key.startswith(f"{name}_")
        assert type(number) is float
        assert math.isfinite(number)
    low, high = about.range
    for case in ("perfect", "partial", "noise", "constant"):
        assert low - 1e-9 <= value(name, case) <= high + 1e-9


@needs(directed=True, unless="order")
def test_perfect_is_better_than_partial_and_partial_than_noise(name: str) -> None:
    noise, partial, perfect = (value(name, case) for case in ("noise", "partial", "perfect"))
    higher = metrics.describe(name).higher_is_better
    assert (noise < partial < perfect) if higher else (perfect < partial < noise)


@needs("factors", "labels", "targets", directed=True, unless="ends")
def test_perfect_and_noise_are_at_the_ends_of_the_range(name: str) -> None:
    about, exception = metrics.describe(name), expected(name)
    worse, better = about.range if about.higher_is_better else about.range[::-1]
    perfect = better if exception.perfect is None else exception.perfect
    noise = worse if exception.noise is None else exception.noise
    assert value(name, "perfect") == pytest.approx(perfect, abs=exception.near)
    assert value(name, "noise") == pytest.approx(noise, abs=exception.near)


@needs(*PER_LATENT, unless="latents")
def test_permuting_latents_changes_nothing(name: str) -> None:
    arrays = world()
    order = np.random.default_rng(5).permutation(LATENTS)
    turned = arrays | {key: arrays[key][..., order] for key in PER_LATENT}
    assert main_value(name, turned) == pytest.approx(value(name, "partial"), abs=expected(name).iterative)


@needs("factors", "labels", "targets", unless="values")
def test_relabelling_values_changes_nothing(name: str) -> None:
    arrays = world()
    rng = np.random.default_rng(6)
    renamed = [rng.permutation(size) * 1000 - 7 for size in SIZES]  # other order, far apart, some negative
    factors = np.stack([renamed[k][column] for k, column in enumerate(arrays["factors"].T)], axis=1)
    labels = rng.permutation(SIZES[0])[arrays["labels"]] * 10**12
    other = arrays | {"factors": factors, "targets": factors, "labels": labels}
    tolerance = max(expected(name).sampled, expected(name).iterative)
    assert main_value(name, other) == pytest.approx(value(name, "partial"), abs=tolerance)


@needs("factors", "targets", unless="factors")
def test_permuting_factors_changes_nothing(name: str) -> None:
    arrays = world()
    turned = arrays["factors"][:, [2, 0, 1]]
    other = arrays | {"factors": turned, "targets": turned}
    tolerance = max(expected(name).sampled, expected(name).iterative)
    assert main_value(name, other) == pytest.approx(value(name, "partial"), abs=tolerance)


@needs(unless="images")
def test_permuting_images_changes_nothing(name: str) -> None:
    arrays = world()
    order = np.random.default_rng(7).permutation(ROWS)
    moved = {
        key: array[:, order] if key.startswith("peer_") else array[order]
        for key, array in arrays.items()
        if key in ARRAYS
    }
    tolerance = max(expected(name).sampled, expected(name).iterative)
    assert main_value(name, arrays | moved) == pytest.approx(value(name, "partial"), abs=tolerance)


@needs("codes", unless="scale")
def test_positive_rescaling_of_each_code_changes_nothing(name: str) -> None:
    arrays = world()
    scales = np.array([3.7, 0.01, 1.0, 250.0, 1e-6, 1e6])
    found = main_value(name, arrays | {"codes": arrays["codes"] * scales})
    assert found == pytest.approx(value(name, "partial"), abs=expected(name).iterative)


@needs("codes", unless="sign")
def test_flipping_signs_of_codes_changes_nothing(name: str) -> None:
    arrays = world()
    found = main_value(name, arrays | {"codes": arrays["codes"] * [-1, 1, -1, -1, 1, -1]})
    # A flipped code that lies on the edge of a bin falls on the other side of it.
    assert found == pytest.approx(value(name, "partial"), abs=max(expected(name).iterative, 1e-3))


@every
def test_the_generator_alone_decides(name: str) -> None:
    arrays = world()
    del arrays["test"]  # so that what may be drawn is drawn
    given = {key: arrays[key] for key in arguments(name) if key in arrays}
    drawn = "rng" in arguments(name)
    results = []
    for seed in (1, 1, 2):
        np.random.seed(len(results))  # noqa: NPY002  another state of the global generator each time
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        draws = {"rng": np.random.default_rng(seed)} if drawn else {}
        results.append(metrics.function(name)(**given, **draws, **expected(name).settings))
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert results[0] == results[1]
    assert (results[0] != results[2]) == drawn


@every
def test_single_precision_and_memory_layout_do_not_matter(name: str) -> None:
    arrays = world()
    fortran = {key: np.asfortranarray(arrays[key]) if key in ARRAYS else arrays[key] for key in arrays}
    single = {key: arrays[key].astype(np.float32) if key in FLOATS else arrays[key] for key in arrays}
    exception = expected(name)
    # BLAS takes another path through another layout
    assert main_value(name, fortran) == pytest.approx(
        value(name, "partial"), abs=max(exception.iterative, 1e-9)
    )
    tolerance = max(exception.iterative, exception.single)
    assert main_value(name, single) == pytest.approx(value(name, "partial"), rel=1e-4, abs=tolerance)


@every
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_errors_that_name_the_array(name: str, bad: float) -> None:
    for key in set(FLOATS) & set(arguments(name)):
        if key == "rate" and bad == np.inf:
            continue  # the rate of a deterministic code
        arrays = world()
        arrays[key] = arrays[key].copy()
        arrays[key][(0, 17) if key.startswith("peer_") else 17] = bad
        with pytest.raises(ValueError, match=key):
            score(name, arrays)


@every
def test_lengths_that_differ_are_errors(name: str) -> None:
    shared = [key for key in arguments(name) if key in ARRAYS and key not in {"real", "samples"}]
    for key in shared if len(shared) > 1 else []:
        arrays = world()
        arrays[key] = arrays[key][:, :-1] if key.startswith("peer_") else arrays[key][:-1]
        with pytest.raises(ValueError, match=rf"{ROWS - 1}.*{ROWS}|{ROWS}.*{ROWS - 1}"):
            score(name, arrays)


@every
@pytest.mark.parametrize("spoil", ["transpose", "one axis more", "empty", "text", "complex"])
def test_wrong_shapes_and_types_are_errors_that_name_the_array(name: str, spoil: str) -> None:
    for key in [key for key in arguments(name) if key in ARRAYS]:
        arrays = world()
        array = arrays[key]
        alone = len([k for k in arguments(name) if k in ARRAYS]) == 1
        if spoil == "transpose" and (array.ndim == 1 or alone):
            continue  # the same, or nothing to compare it with
        if spoil == "one axis more" and key == "targets":
            array = array[..., None]
        arrays[key] = {
            "transpose": array.T,
            "one axis more": array[..., None],
            "empty": array[:0],
            "text": np.full(array.shape, "a"),
            "complex": array.astype(complex),
        }[spoil]
        with pytest.raises(ValueError, match=rf"{key}|std|mean|codes" if spoil == "transpose" else key):
            score(name, arrays)


def degenerate() -> dict[str, dict[str, Any]]:
    """Changes to a world after which an answer must be defined or refused."""
    constant, few = np.zeros((ROWS, LATENTS)), slice(0, 2)
    ground = world()
    trembling = np.float32(1) + np.float32(2**-23) * (np.arange(ROWS * LATENTS).reshape(ROWS, LATENTS) % 2)
    same = dict.fromkeys(("codes", "mean"))
    return {
        "constant codes": dict.fromkeys(same, constant),
        "constant codes, not 0": dict.fromkeys(same, constant + 0.1),
        "one constant code": dict.fromkeys(same, ground["codes"] * [1, 1, 0, 1, 1, 1]),
        "duplicated codes": dict.fromkeys(same, ground["codes"][:, [0, 0, 1, 1, 2, 2]]),
        "codes that tremble in the last digit": dict.fromkeys(same, trembling),
        "one code": {key: ground[key][..., :1] for key in PER_LATENT},
        "huge codes": dict.fromkeys(same, ground["codes"] * 1e14),
        "tiny codes": dict.fromkeys(same, ground["codes"] * 1e-300),
        "integer codes": dict.fromkeys(same, np.rint(ground["codes"]).astype(int)),
        "deterministic codes": {"std": constant},
        "infinite rates": {
            "rate": np.full(ROWS, np.inf),
            "rate_per_group": np.full((ROWS, LATENTS), np.inf),
        },
        "one factor": {"factors": ground["factors"][:, :1], "targets": ground["factors"][:, :1]},
        "one factor varies": {
            "factors": ground["factors"] * [1, 0, 0],
            "targets": ground["factors"] * [1, 0, 0],
        },
        "no factor varies": {key: ground[key] * 0 for key in ("factors", "labels", "targets")},
        "factors all different": {
            "factors": np.arange(3 * ROWS).reshape(ROWS, 3),
            "targets": np.arange(3 * ROWS).reshape(ROWS, 3),
            "labels": np.arange(ROWS),
        },
        "fewer images than bins": _rows(ground, slice(0, 12)),
        "two images": _rows(ground, few),
        "one image": _rows(ground, slice(0, 1)),
        "all held out": {"test": np.ones(ROWS, dtype=bool)},
        "none held out": {"test": np.zeros(ROWS, dtype=bool)},
        "one class to train on": {"test": ground["labels"] > 0},
        "perfect images": {"reconstructions": ground["images"], "samples": ground["real"]},
        "black images": dict.fromkeys(("images", "reconstructions", "real", "samples"), ground["images"] * 0),
        "constant peers": {"peer_mean": ground["peer_mean"] * 0},
        "one peer": {key: ground[key][:1] for key in ("peer_mean", "peer_std")},
    }


def _rows(arrays: dict[str, Any], rows: slice) -> dict[str, Any]:
    return {key: arrays[key][:, rows] if key.startswith("peer_") else arrays[key][rows] for key in ARRAYS}


@pytest.mark.parametrize(
    ("name", "case"),
    [
        (name, case)
        for case, change in degenerate().items()
        for name in metrics.names()
        if {*change} & {*arguments(name)}
    ],
)
def test_degenerate_input_is_answered_or_refused_but_never_nan(name: str, case: str) -> None:
    refusal, found = None, {}
    try:
        found = score(name, world() | degenerate()[case])
    except ValueError as error:
        refusal = str(error)
    if refusal is None:
        assert found
        assert not any(math.isnan(number) for number in found.values())
    else:
        assert len(refusal) > 40  # says what was found, and what to do
        assert "\n" not in refusal
