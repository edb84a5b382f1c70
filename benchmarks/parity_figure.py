"""The figure of ``benchmarks.parity``: the curves of both paths, and their difference in standard deviations
of seeds.

It has a row per family. The panels on the left show distortion, rate and loss, with a thin line for every
seed. The panel on the right shows the difference of the means, beside the range ± 2 σ/√S of a mean over S
seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["draw"]

SHOWN = ("distortion", "rate", "loss")
COLOURS = {"reference": "0.35", "fast": "#d1495b"}
STYLES = {"reference": "-", "fast": "--"}


def draw(content: Mapping[str, Any], path: Path) -> Path:
    """Draw the content of a result of ``benchmarks.parity`` to the file ``path``."""
    families = content["families"]
    # equal content gives equal files; text stays text
    matplotlib.rcParams |= {"svg.hashsalt": "parity", "svg.fonttype": "none"}
    figure = Figure(figsize=(13, 2.6 * len(families) + 0.6), layout="constrained")
    axes = figure.subplots(len(families), len(SHOWN) + 1, squeeze=False)
    for row, (family, result) in zip(axes, families.items(), strict=True):
        steps = np.array(result["steps"])
        for axis, term in zip(row, SHOWN, strict=False):
            _curves(axis, steps, result["curves"], term)
            axis.set_title(f"{family}: {term}", fontsize=9)
            axis.set_ylabel("nats per image", fontsize=8)
        _difference(row[-1], steps, result)
    for axis in axes.flat:
        axis.tick_params(labelsize=7)
    for axis in axes[-1]:
        axis.set_xlabel("step", fontsize=8)
    axes[0, 0].legend(fontsize=7)
    axes[0, -1].legend(fontsize=7)
    settings, machine = content["settings"], content["machine"]
    figure.suptitle(
        f"fast path ({settings['precision']}) and plain float32 loop, {settings['seeds']} seeds, dSprites, "
        f"batch {settings['batch_size']}; "
        f"{machine['device']}, torch {machine['torch']}, {machine['date'][:10]}",
        fontsize=10,
    )
    figure.savefig(path, metadata={"Date": None})
    return path


def _curves(axis: Axes, steps: np.ndarray, curves: Mapping[str, Any], term: str) -> None:
    for path in ("reference", "fast"):
        values = np.array(curves[path][term])
        for number, curve in enumerate(values):
            label = f"{path}, each seed" if number == 0 else None
            axis.plot(steps, curve, STYLES[path], color=COLOURS[path], linewidth=0.8, label=label)
    axis.set_yscale("log" if values.min() > 0 else "linear")


def _difference(axis: Axes, steps: np.ndarray, result: Mapping[str, Any]) -> None:
    for term, colour in zip(SHOWN, ("#00798c", "#edae49", "#30638e"), strict=True):
        fast, reference = (np.array(result["curves"][path][term]) for path in ("fast", "reference"))
        sigma = reference.std(0, ddof=1) if len(reference) > 1 else np.full(len(steps), np.nan)
        axis.plot(steps, (fast.mean(0) - reference.mean(0)) / sigma, color=colour, linewidth=0.9, label=term)
    bound = 2 / np.sqrt(len(reference))
    axis.axhspan(-bound, bound, color="0.9", zorder=0, label="± 2 s.e. of a mean")
    axis.set_title("difference of means / σ of seeds", fontsize=9)
