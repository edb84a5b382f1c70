"""The figure of ``benchmarks.parity``: curves of both paths over each other, and their difference in seeds' standard deviations.

A row per family; distortion, rate and loss with every seed as a thin line; right the difference of the seeds' means against the ± 2 σ/√S
within which a mean over S seeds varies.
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
    """Draw what ``benchmarks.parity`` wrote, to ``path``."""
    families = content["families"]
    # the same file from the same figures; text stays text
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
        f"fast path ({settings['precision']}) and plain float32 loop, {settings['seeds']} seeds, dSprites, batch "
        f"{settings['batch_size']}; {machine['device']}, torch {machine['torch']}, {machine['date'][:10]}",
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
