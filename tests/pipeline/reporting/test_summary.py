"""The summary tables: means, intervals, best values, and cells without a value."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.reporting.outcome import read
from pipeline.reporting.summary import (
    Column,
    Estimate,
    Table,
    best_text,
    estimate,
    summarise,
    write_number,
    write_width,
)

DISTORTION = Column("distortion", "distortion", "Distortion", "nats", "reconstruction", False, "test", 2)
MIG = Column("mig", "mig", "Mutual information gap", "", "disentanglement", True, "all", 3)


def test_the_interval_is_students():
    values = [24.1, 25.3, 23.8, 26.0, 24.9]
    found = estimate(values)
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert found.mean == pytest.approx((low + high) / 2, rel=1e-12)
    assert found.half_width == pytest.approx((high - low) / 2, rel=1e-12)
    assert found.n == 5


def test_with_two_seeds_the_interval_is_twelve_standard_errors():
    # t(0.975, 1) = tan(0.475 π), of Cauchy's distribution; the standard error of 1 and 3 is 1.
    assert estimate([1.0, 3.0]).half_width == pytest.approx(math.tan(0.475 * math.pi), rel=1e-9)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2.5], Estimate(2.5, None, 1)),
        ([2.5, math.nan], Estimate(2.5, None, 1)),
        ([math.inf, math.inf], Estimate(math.inf, None, 2)),
        ([math.inf, 3.0], Estimate(math.inf, None, 2)),
        ([7.0, 7.0], Estimate(7.0, 0.0, 2)),
    ],
)
def test_an_interval_needs_two_finite_values(values: list[float], expected: Estimate):
    assert estimate(values) == expected


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, -math.inf]])
def test_no_value_has_no_mean(values: list[float]):
    found = estimate(values)
    assert math.isnan(found.mean)
    assert found.half_width is None


def test_the_metric_s_direction_decides_which_value_is_best():
    values = {name: Estimate(mean, None, 1) for name, mean in {"a": 0.2, "b": 0.7, "c": math.inf}.items()}
    assert best_text(values, MIG) == "0.700"  # an infinite score is never best
    assert best_text(values, DISTORTION) == "0.20"
    neutral = Column("rate", "rate", "Rate", "nats", "rate", None, "all", 2)
    assert best_text(values, neutral) is None
    assert best_text({"c": Estimate(math.inf, None, 2)}, DISTORTION) is None


def test_every_setting_that_prints_the_best_value_is_marked(make_study):
    params, store = make_study(datasets=("digits",), seeds=(0, 1))
    scores = store.scores_table("digits")
    tied = scores["metric"].eq("mse") & scores["family"].isin(["vae", "beta_vae"])
    store.write_scores_table("digits", scores.assign(value=scores["value"].mask(tied, 1e-9)))
    table = summarise(read(params, store), "digits")
    place = [column.metric for column in table.columns].index("mse")
    marked = [row.setting.name for row in table.rows if row.cells[place].best]
    assert marked == ["vae", *(f"beta_vae beta={beta}" for beta in (2, 4, 8, 16)), "untrained"]


def test_a_row_for_every_setting_in_the_order_of_the_study(make_study):
    params, store = make_study(datasets=("digits",))
    names = [row.setting.name for row in summarise(read(params, store), "digits").rows]
    assert names[:3] == ["ae", "vae", "beta_vae beta=2"]
    assert names[-1] == "untrained"
    assert len(names) == 14


def test_scores_on_held_out_images_are_shown_if_there_are_any(make_study):
    params, store = make_study(datasets=("digits", "dsprites"))
    study = read(params, store)
    assert {column.split for column in summarise(study, "digits").columns} == {"test"}
    assert {column.split for column in summarise(study, "dsprites").columns} == {"all"}


def test_many_metrics_make_several_tables_and_keep_folders_together():
    def blocks(**counts: int) -> list[tuple[int, int]]:
        columns = [
            Column(f"{folder}_{i}", "", "", "", folder, True, "all", 2)
            for folder, n in counts.items()
            for i in range(n)
        ]
        return Table("digits", tuple(columns), ()).blocks()

    assert blocks() == []
    assert blocks(reconstruction=3, rate=4, disentanglement=1) == [(0, 8)]
    assert blocks(reconstruction=3, rate=4, disentanglement=2) == [(0, 7), (7, 9)]
    assert blocks(reconstruction=3, disentanglement=24, samples=1) == [
        (0, 3),
        (3, 11),
        (11, 19),
        (19, 27),
        (27, 28),
    ]


def test_a_metric_is_shown_by_its_main_value(make_study):
    params, store = make_study(datasets=("digits",))
    scores = store.scores_table("digits")
    main, other = (
        scores[scores["metric"].eq("mse")].assign(metric=name, value=value)
        for name, value in (("clustering_accuracy", 0.5), ("clustering", 0.1))
    )
    store.write_scores_table("digits", pd.concat([scores, main, other]))
    table = summarise(read(params, store), "digits")
    place = [column.metric for column in table.columns].index("clustering_accuracy")
    assert table.columns[place].folder == "representation"
    assert {row.cells[place].text for row in table.rows} == {"0.500"}
    assert "clustering" not in {column.metric for column in table.columns}


def test_a_missing_value_has_a_reason(make_study):
    params, store = make_study(
        datasets=("digits",),
        ends=lambda trial: "failed" if trial.family == "factor_vae" and trial.seed else (
            "diverged" if trial.family == "factor_vae" else "finished"
        ),
    )  # fmt: skip
    rows = summarise(read(params, store), "digits").rows
    cells = [cell for row in rows if row.setting.family == "factor_vae" for cell in row.cells]
    assert {(cell.text, cell.note) for cell in cells} == {("–", "no value: trials diverged: 1, failed: 1")}


def test_an_infinite_rate_is_shown_and_is_never_best(make_study):
    params, store = make_study(datasets=("digits",))
    table = summarise(read(params, store), "digits")
    ae = {column.metric: cell for column, cell in zip(table.columns, table.rows[0].cells, strict=True)}
    assert ae["rate"].text == ae["negative_elbo"].text == "∞"
    assert not ae["negative_elbo"].best
    assert "no finite rate" in ae["rate"].note


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (-1.25, 1, "−1.2"),
        (-0.001, 2, "0.00"),
        (math.inf, 2, "∞"),
        (-math.inf, 2, "−∞"),
        (12345.6, 1, "12345.6"),
        (12345.6, None, "12,346"),
        (-0.12345, None, "−0.123"),
        (-0.0, None, "0"),
        (math.inf, None, "∞"),
    ],
)
def test_numbers_have_a_true_minus_sign_and_no_exponent(value: float, decimals: int | None, text: str):
    assert write_number(value, decimals) == text


def test_a_width_is_never_printed_as_zero_unless_it_is():
    assert write_width(0.0, 2) == "0"
    assert write_width(0.004, 2) == "<0.01"
    assert write_width(0.006, 2) == "0.01"
