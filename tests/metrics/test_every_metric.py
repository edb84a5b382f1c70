"""Properties that every metric has, over all that the folders of `metrics` hold: a new file is tested without an edit."""

from __future__ import annotations

import inspect
import math
import warnings
from typing import Any

import numpy as np
import pytest

import metrics

SIZES = (3, 4, 5)
LATENTS = 6
N = 3000  # fifty images of each combination of factors
FLOATS = ("codes", "mean", "std", "images", "reconstructions", "distortion", "rate")
ROWS = (*FLOATS, "factors", "labels", "test")

# What a metric of a code that knows nothing tends to, where that is not 0.
CHANCE = {"beta_vae_score": 1 / len(SIZES), "logistic_accuracy": 1 / SIZES[0]}

# Two runs of the same thing differ by this much: the default covers rounding.
ITERATIVE = {  # an iterative fit stops at another point when its columns are permuted
    "beta_vae_score": 0.005,
    "logistic_accuracy": 0.005,
}
SAMPLED = {  # the same seed draws other rows when the rows, or the values that they are sorted by, move
    "beta_vae_score": 0.03,  # 5,000 points: standard error ≤ 0.007 each, and the fits differ
    "logistic_accuracy": 0.05,  # 600 test rows: standard error ≤ 0.02 each
}
NOT_SCALE_FREE = frozenset(
    {"beta_vae_score"}
)  # its logistic regression is penalised and acts on the codes as they are


def world(kind: str, seed: int = 0) -> dict[str, Any]:
    """All the arrays that metrics ask for, of a model whose codes are "perfect", "partial" (mixed, noisy) or "noise"."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, len(SIZES))
    factors = np.tile(grid, (N // len(grid), 1))
    signal = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    noise = rng.normal(size=(N, LATENTS))
    codes = {"perfect": 0.02, "partial": 0.7, "noise": 1.0}[kind] * noise
    if kind != "noise":
        codes[:, : len(SIZES)] += signal
    if kind == "partial":
        codes[:, :3] -= signal * [0, 0.5, 0.85]  # the second factor is faint, the third nearly lost
        codes[:, 3] += 0.8 * signal[:, 0]
        codes[:, 0] += 0.5 * signal[:, 1]
    images = rng.random((N, 1, 4, 4))
    error = {"perfect": 0.0, "partial": 0.1, "noise": 1.0}[kind]
    return {
        "codes": codes,
        "factors": factors,
        "labels": factors[:, 0],
        "mean": codes,
        "std": rng.uniform(0.1, 1.0, size=codes.shape),
        "images": images,
        "reconstructions": images + error * (rng.random(images.shape) - images),
        "distortion": 10 + 100 * error + rng.random(N),
        "rate": 5 + rng.random(N),
        "test": rng.permuted(np.arange(N) % 5 == 0),
        "dimensions": 16,
    }


def arguments(name: str) -> list[str]:
    return [
        p for p in inspect.signature(metrics.function(name)).parameters if p in {*ROWS, "dimensions", "rng"}
    ]


def score(name: str, arrays: dict[str, Any], seed: int = 0) -> dict[str, float]:
    """The metric on the arrays of the world that it asks for by name, with numpy's warnings as errors."""
    given = arrays | {"rng": np.random.default_rng(seed)}
    with warnings.catch_warnings(), np.errstate(invalid="raise"):
        warnings.simplefilter("error")
        return metrics.function(name)(**{argument: given[argument] for argument in arguments(name)})


def needs(*wanted: str, but: frozenset[str] = frozenset()) -> Any:
    """Parametrised over the metrics that take any of these arrays, but for the exceptions."""
    return pytest.mark.parametrize(
        "name", [n for n in metrics.names() if {*wanted} & {*arguments(n)} and n not in but]
    )


every = pytest.mark.parametrize("name", list(metrics.names()))


@every
def test_every_parameter_is_in_the_vocabulary_or_a_setting_with_a_default(name: str) -> None:
    for parameter in inspect.signature(metrics.function(name)).parameters.values():
        if parameter.name not in {*ROWS, "dimensions", "rng"}:
            assert parameter.kind is parameter.KEYWORD_ONLY
            assert parameter.default is not parameter.empty


@every
def test_returns_floats_the_first_called_like_the_metric(name: str) -> None:
    found = score(name, world("partial"))
    assert next(iter(found)) == name
    for key, value in found.items():
        assert key == name or key.startswith(f"{name}_")
        assert type(value) is float
        assert math.isfinite(value)


@pytest.mark.parametrize(
    "name", [n for n in metrics.names() if metrics.describe(n).higher_is_better is not None]
)
def test_perfect_is_better_than_noise(name: str) -> None:
    higher = metrics.describe(name).higher_is_better
    partial, perfect, noise = (score(name, world(kind))[name] for kind in ("partial", "perfect", "noise"))
    assert (noise < partial < perfect) if higher else (perfect < partial < noise)


@needs("factors", "labels")
def test_perfect_is_near_one_and_noise_near_chance(name: str) -> None:
    assert score(name, world("perfect"))[name] == pytest.approx(1, abs=0.05)
    # 0.06: two standard errors of 600 test rows, and the bias of counting mutual information in 20 bins
    assert score(name, world("noise"))[name] == pytest.approx(CHANCE.get(name, 0), abs=0.06)


@needs("codes", "mean", "std")
def test_permuting_latents_changes_nothing(name: str) -> None:
    arrays = world("partial")
    order = np.random.default_rng(5).permutation(LATENTS)
    turned = arrays | {key: arrays[key][:, order] for key in ("codes", "mean", "std")}
    assert score(name, turned)[name] == pytest.approx(
        score(name, arrays)[name], abs=ITERATIVE.get(name, 1e-9)
    )


@needs("factors", "labels")
def test_relabelling_values_changes_nothing(name: str) -> None:
    arrays = world("partial")
    rng = np.random.default_rng(6)
    names = [rng.permutation(size) * 1000 - 7 for size in SIZES]  # other order, far apart, some negative
    factors = np.stack([names[k][column] for k, column in enumerate(arrays["factors"].T)], axis=1)
    other = arrays | {"factors": factors, "labels": rng.permutation(SIZES[0])[arrays["labels"]] * 10**12}
    assert score(name, other)[name] == pytest.approx(score(name, arrays)[name], abs=SAMPLED.get(name, 1e-9))


@needs("factors")
def test_permuting_factors_changes_nothing(name: str) -> None:
    arrays = world("partial")
    other = arrays | {"factors": arrays["factors"][:, [2, 0, 1]]}
    assert score(name, other)[name] == pytest.approx(score(name, arrays)[name], abs=SAMPLED.get(name, 1e-9))


@every
def test_permuting_images_changes_nothing(name: str) -> None:
    arrays = world("partial")
    order = np.random.default_rng(7).permutation(N)
    moved = arrays | {key: arrays[key][order] for key in ROWS}
    tolerance = (
        ITERATIVE if "test" in arguments(name) else SAMPLED
    )  # with given test rows only the fit differs
    assert score(name, moved)[name] == pytest.approx(score(name, arrays)[name], abs=tolerance.get(name, 1e-9))


@needs("codes", but=NOT_SCALE_FREE)
def test_positive_rescaling_of_each_code_changes_nothing(name: str) -> None:
    arrays = world("partial")
    scales = np.array([3.7, 0.01, 1.0, 250.0, 1e-6, 1e6])
    found = score(name, arrays | {"codes": arrays["codes"] * scales})
    assert found[name] == pytest.approx(score(name, arrays)[name], abs=ITERATIVE.get(name, 1e-9))


@every
def test_the_generator_alone_decides(name: str) -> None:
    arrays = world("partial")
    del arrays["test"]  # so that what may be drawn is drawn
    given = {key: arrays[key] for key in arguments(name) if key in arrays}
    drawn = "rng" in arguments(name)
    results = []
    for seed in (1, 1, 2):
        np.random.seed(len(results))  # noqa: NPY002  another state of the global generator each time
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        results.append(
            metrics.function(name)(**given, **({"rng": np.random.default_rng(seed)} if drawn else {}))
        )
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert results[0] == results[1]
    assert (results[0] != results[2]) == drawn


@every
def test_single_precision_and_memory_layout_do_not_matter(name: str) -> None:
    arrays = world("partial")
    expected = score(name, arrays)
    fortran = {key: np.asfortranarray(arrays[key]) if key in ROWS else arrays[key] for key in arrays}
    single = {key: arrays[key].astype(np.float32) if key in FLOATS else arrays[key] for key in arrays}
    # BLAS takes another path through another layout, and single precision moves some codes across the edge of a bin
    assert score(name, fortran)[name] == pytest.approx(expected[name], abs=ITERATIVE.get(name, 1e-12))
    assert score(name, single)[name] == pytest.approx(expected[name], rel=1e-4, abs=ITERATIVE.get(name, 1e-3))


@every
def test_arguments_are_left_as_they_were(name: str) -> None:
    arrays = world("partial")
    for key in ROWS:
        arrays[key] = arrays[key].copy()
        arrays[key].flags.writeable = False  # writing into one would raise
    score(name, arrays)


@every
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_errors_that_name_the_array(name: str, bad: float) -> None:
    for key in set(FLOATS) & set(arguments(name)):
        if key == "rate" and bad == np.inf:
            continue  # the rate of a deterministic code
        arrays = world("partial")
        arrays[key] = arrays[key].copy()
        arrays[key][17] = bad
        with pytest.raises(ValueError, match=key):
            score(name, arrays)


@every
def test_lengths_that_differ_are_errors(name: str) -> None:
    taken = [key for key in arguments(name) if key in ROWS]
    for key in taken if len(taken) > 1 else []:
        arrays = world("partial")
        arrays[key] = arrays[key][:-1]
        with pytest.raises(ValueError, match=rf"{N - 1}.*{N}|{N}.*{N - 1}"):
            score(name, arrays)


@every
@pytest.mark.parametrize("spoil", ["transpose", "one axis more", "empty", "text", "complex"])
def test_wrong_shapes_and_types_are_errors_that_name_the_array(name: str, spoil: str) -> None:
    for key in [key for key in arguments(name) if key in ROWS]:
        arrays = world("partial")
        array = arrays[key]
        if spoil == "transpose" and (array.ndim == 1 or len([k for k in arguments(name) if k in ROWS]) == 1):
            continue  # the same, or nothing to compare it with
        arrays[key] = {
            "transpose": array.T,
            "one axis more": array[..., None],
            "empty": array[:0],
            "text": np.full(array.shape, "a"),
            "complex": array.astype(complex),
        }[spoil]
        with pytest.raises(ValueError, match=rf"{key}|std" if spoil == "transpose" else key):
            score(name, arrays)


def degenerate() -> dict[str, dict[str, Any]]:
    """Changes to a world after which an answer must be defined or refused."""
    constant, few = np.zeros((N, LATENTS)), slice(0, 2)
    ground = world("partial")
    trembling = np.float32(1) + np.float32(2**-23) * (np.arange(N * LATENTS).reshape(N, LATENTS) % 2)
    return {
        "constant codes": {"codes": constant, "mean": constant},
        "constant codes, not 0": {"codes": constant + 0.1, "mean": constant + 0.1},
        "codes that tremble in the last digit": {"codes": trembling, "mean": trembling},
        "one code": {key: ground[key][:, :1] for key in ("codes", "mean", "std")},
        "huge codes": {key: ground[key] * 1e14 for key in ("codes", "mean", "std")},
        "tiny codes": {key: ground[key] * 1e-300 for key in ("codes", "mean", "std")},
        "integer codes": {"codes": np.rint(ground["codes"]).astype(int)},
        "deterministic codes": {"std": constant},
        "infinite rates": {"rate": np.full(N, np.inf)},
        "one factor varies": {"factors": ground["factors"] * [1, 0, 0]},
        "no factor varies": {"factors": ground["factors"] * 0, "labels": ground["labels"] * 0},
        "factors all different": {"factors": np.arange(3 * N).reshape(N, 3), "labels": np.arange(N)},
        "two images": {key: ground[key][few] for key in ROWS},
        "one image": {key: ground[key][:1] for key in ROWS},
        "all held out": {"test": np.ones(N, dtype=bool)},
        "none held out": {"test": np.zeros(N, dtype=bool)},
        "one class to train on": {"test": ground["labels"] > 0},
        "perfect images": {"reconstructions": ground["images"]},
        "black images": {"images": ground["images"] * 0, "reconstructions": ground["images"] * 0},
    }


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
        found = score(name, world("partial") | degenerate()[case])
    except ValueError as error:
        refusal = str(error)
    if refusal is None:
        assert found
        assert not any(math.isnan(value) for value in found.values())
    else:
        assert len(refusal) > 40  # says what was found, and what to do
        assert "\n" not in refusal
