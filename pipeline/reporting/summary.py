"""The report's summary tables: the mean score of each setting over its seeds, with its interval.

    x̄ ± t(0.975, n - 1) · s / √n

x̄ is the mean of n seeds, s their standard deviation (with n - 1 in its denominator), t the quantile of
Student's distribution (Student, The Probable Error of a Mean, Biometrika 6:1, 1908). It is a 95 % interval of
the mean over seeds of one setting on one data set, if the scores are about normal. With two seeds t is 12.7,
so the interval is wide; with one seed there is none. The best value of a column is the highest or the lowest
mean, according to the metric's HIGHER_IS_BETTER. All values that are printed like the best one are marked as
best.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from scipy import stats

import metrics
from pipeline.reporting.outcome import Study
from pipeline.study.applicability import inapplicable
from pipeline.study.settings import Setting
from vaecore.families import family_class

__all__ = ["Cell", "Column", "Estimate", "Row", "Table", "estimate", "summarise", "write_number"]

CONFIDENCE = 0.95

WIDEST = 8
"""The largest number of metrics in one table; more metrics make several tables."""

FOLDERS = ("reconstruction", "rate", "disentanglement", "representation", "samples")
"""The order of columns, by the folder of the metric; other folders follow."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its interval."""

    mean: float
    """NaN without a value, infinite if one of the values is."""
    half_width: float | None
    """Half the width of the 95 % interval; None with fewer than two seeds, or if the mean is not finite."""
    n: int


@dataclass(frozen=True)
class Column:
    """One metric, on the part of the data that is shown."""

    metric: str
    """The key of the metric's main value."""
    name: str
    """The metric's name."""
    title: str
    unit: str
    folder: str
    higher_is_better: bool | None
    split: str
    decimals: int


@dataclass(frozen=True)
class Cell:
    """One value of a table as printed."""

    text: str
    interval: str
    """Half the width of the interval as printed; empty if there is none."""
    note: str
    """The values of the seeds, or the reason why there is no value."""
    value: float
    best: bool = False


@dataclass(frozen=True)
class Row:
    setting: Setting
    n: int
    """Number of scored trials."""
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """One data set's summary: a row per setting, a column per metric."""

    dataset: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def blocks(self) -> list[tuple[int, int]]:
        """(first, end) of the columns of each shown table; a folder is split only if it is too wide."""
        blocks: list[tuple[int, int]] = []
        for _, group in groupby(enumerate(self.columns), key=lambda place: place[1].folder):
            places = [place for place, _ in group]
            parts = math.ceil(len(places) / WIDEST)
            for part in np.array_split(places, parts):
                first, end = int(part[0]), int(part[-1]) + 1
                if blocks and end - blocks[-1][0] <= WIDEST:
                    blocks[-1] = (blocks[-1][0], end)
                else:
                    blocks.append((first, end))
        return blocks


def estimate(values: Iterable[float]) -> Estimate:
    """Mean and 95 % interval over seeds; NaN does not count as a value."""
    x = np.asarray([value for value in values if not math.isnan(value)], dtype=np.float64)
    if not len(x):
        return Estimate(math.nan, None, 0)
    if not np.isfinite(x).all():
        signs = set(x[np.isinf(x)])
        return Estimate(signs.pop() if len(signs) == 1 else math.nan, None, len(x))
    if len(x) == 1:
        return Estimate(float(x[0]), None, 1)
    t = stats.t.ppf((1 + CONFIDENCE) / 2, len(x) - 1)
    return Estimate(float(x.mean()), float(t * x.std(ddof=1) / math.sqrt(len(x))), len(x))


def estimates(study: Study, dataset: str, metric: str) -> dict[str, Estimate]:
    """Setting's name -> the metric's mean over seeds, for the settings that have a value."""
    table = study.table(dataset)
    if metric not in table:
        return {}
    grouped = table[metric].groupby(level="setting")
    found = {str(setting): estimate(values) for setting, values in grouped}
    return {name: value for name, value in found.items() if value.n}


def main_metrics(study: Study, dataset: str) -> list[metrics.Description]:
    """The metrics of which a data set has scores, in the order of ``FOLDERS``."""
    scored = set(study.scores.loc[study.scores["dataset"] == dataset, "metric"])
    known = metrics.names()
    described = [metrics.describe(name) for name in study.params.evaluation.metrics if name in known]
    described = [metric for metric in described if metric.main in scored]
    rank = {folder: place for place, folder in enumerate(FOLDERS)}
    return sorted(described, key=lambda metric: rank.get(metric.folder, len(FOLDERS)))


def summarise(study: Study, dataset: str) -> Table:
    """The data set's table; every setting has a row, even if none of its trials was scored."""
    found: dict[str, Mapping[str, Estimate]] = {}
    columns = []
    for metric in main_metrics(study, dataset):
        found[metric.main] = estimates(study, dataset, metric.main)
        split = study.split(dataset, metric.main)
        assert split is not None, f"{metric.main} has scores, so they have a split"
        decimals = _decimals([value.mean for value in found[metric.main].values()])
        columns.append(
            Column(
                metric.main,
                metric.name,
                metric.title,
                metric.unit,
                metric.folder,
                metric.higher_is_better,
                split,
                decimals,
            )
        )
    best = {column.metric: best_text(found[column.metric], column) for column in columns}
    values = study.table(dataset)
    rows = []
    for setting in study.settings[dataset]:
        cells = []
        for column in columns:
            value = found[column.metric].get(setting.name)
            if value is None or math.isnan(value.mean):
                cells.append(Cell("–", "", _why_missing(study, setting, column), math.nan))
                continue
            seeds = values.xs(setting.name, level="setting")[column.metric].dropna()
            text = write_number(value.mean, column.decimals)
            interval = "" if value.half_width is None else write_width(value.half_width, column.decimals)
            note = _note(value, column, setting, [f"{seed}: {score:.6g}" for seed, score in seeds.items()])
            cells.append(Cell(text, interval, note, value.mean, text == best[column.metric]))
        scored = len(values.loc[[setting.name]]) if setting.name in values.index else 0
        rows.append(Row(setting, scored, tuple(cells)))
    return Table(dataset, tuple(columns), tuple(rows))


def best_text(found: Mapping[str, Estimate], column: Column) -> str | None:
    """The column's best value as printed; None if neither end is better, or no value is finite."""
    finite = [value.mean for value in found.values() if math.isfinite(value.mean)]
    if column.higher_is_better is None or not finite:
        return None
    return write_number(max(finite) if column.higher_is_better else min(finite), column.decimals)


def write_number(value: float, decimals: int | None = None) -> str:
    """A number as the report prints it, with a true minus sign and ∞.

    Without ``decimals`` it has three significant digits, or all digits before its point and commas between
    thousands.
    """
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if decimals is None:
        text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    else:
        text = f"{value:.{decimals}f}"
    return text.replace("-", "−") if text.strip("-0.") else text.removeprefix("-")


def write_width(half_width: float, decimals: int) -> str:
    """Half the width of an interval; it is printed as 0 only if it is 0."""
    smallest = 10.0**-decimals
    if half_width == 0:
        return "0"
    return f"<{smallest:.{decimals}f}" if half_width < smallest / 2 else f"{half_width:.{decimals}f}"


def _decimals(means: Sequence[float]) -> int:
    """The decimals of a whole column: about three digits of its median value."""
    finite = [abs(mean) for mean in means if math.isfinite(mean) and mean]
    if not finite:
        return 2
    typical = float(np.median(finite))
    if typical >= 1:
        return 1 if typical >= 100 else 2
    return 3 if typical >= 0.05 else min(2 - math.floor(math.log10(typical)), 8)


def _note(value: Estimate, column: Column, setting: Setting, seeds: Sequence[str]) -> str:
    shown = ", ".join(seeds[:6]) + (f" and {len(seeds) - 6} more" if len(seeds) > 6 else "")
    if math.isinf(value.mean):
        deterministic = family_class(setting.trials[0].family).deterministic
        rate = deterministic and column.folder == "rate"
        why = "a deterministic code has no finite rate" if rate else "it is not finite"
        return f"{why} (n = {value.n})"
    spread = "one seed: no interval" if value.half_width is None else "95 % interval over seeds"
    return f"{column.title}, {column.split} images; n = {value.n}, {spread}; seed {shown}"


def _why_missing(study: Study, setting: Setting, column: Column) -> str:
    statuses = [study.status(trial) for trial in setting.trials]
    first = setting.trials[0]
    why = inapplicable(column.name, first, study.ready[first.dataset], peers=len(setting.trials) > 1)
    if why is not None:
        return f"it does not apply: {why}"
    if "finished" in statuses:
        return f"no {column.metric} among the scores of its {statuses.count('finished')} finished trials"
    counts = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
    return "no value: trials " + ", ".join(f"{status}: {count}" for status, count in counts.items())
