"""The tables that ``benchmarks.metrics`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.table import table

__all__ = ["STATED", "others_table", "scores_table", "suite", "suite_table"]

STATED = {"beta_vae_score": 12.9, "factor_vae_score": 6.2, "dci": 174.6, "suite": 197.0}
"""Seconds of disentanglement_lib on one thread of another machine, on codes like these.

It drew images in its own way. The rest of the suite took 3 seconds. For a trained network DCI took 331.
"""

Rows = Sequence[Mapping[str, Any]]


def suite(rows: Rows) -> dict[str, Any]:
    """Sums of medians over the rows of the suite: of ours, and of both sides over the rows that both have."""
    ours = [row for row in rows if row["suite"] and _seconds(row, "ours")]
    both = [row for row in ours if _seconds(row, "peer")]
    total, shared, theirs = (
        sum(_seconds(row, side) or 0.0 for row in of)
        for of, side in ((ours, "ours"), (both, "ours"), (both, "peer"))
    )
    return {
        "metrics": [row["metric"] for row in ours],
        "ours": total,
        "both_have": [row["metric"] for row in both],
        "ours_of_both": shared,
        "peer": theirs if both else None,
        "ratio": theirs / shared if both else None,
    }


def suite_table(rows: Rows, stated: bool) -> str:
    """The suite with one number of threads. stated: add the column of the figures from elsewhere."""
    head = ["", "ours, s", "[low-high]", "calls", "peer, s", "calls", "× ours"]
    lines, reasons = [], []
    for row in rows:
        if not row["suite"]:
            continue
        ours, peer = row["ours"], row.get("peer", {})
        reasons += [
            f"{side}, {row['metric']}: {found['failed']}"
            for side, found in (("ours", ours), ("peer", peer))
            if found.get("failed")
        ]
        calls = ours["calls"]
        cells = [row["metric"], _show(ours["seconds"]) or "failed"]
        cells += [f"[{_show(min(calls))}-{_show(max(calls))}]" if calls else "", str(len(calls) or "")]
        cells += [
            _show(peer.get("seconds")) or ("failed" if peer else ""),
            str(len(peer.get("calls", [])) or ""),
        ]
        lines.append([*cells, _times(peer.get("seconds"), ours["seconds"])])
    sums = suite(rows)
    lines.append(
        ["all of these", _show(sums["ours"]), "", "", _show(sums["peer"]), "", _times(sums["ratio"], 1)]
    )
    if stated:
        head.append("stated, s")
        lines = [[*line, _show(STATED.get(line[0]))] for line in lines]
        lines[-1][-1] = _show(STATED["suite"])
    text = "\n".join([table(head, lines), *reasons])
    if sums["peer"] and sums["both_have"] != sums["metrics"]:
        text += f"\nThe sum and ratio of the peer are over {', '.join(sums['both_have'])} "
        text += f"({_show(sums['ours_of_both'])} s of ours)."
    return text


def others_table(results: Mapping[int, Rows]) -> str:
    """The further metrics, with a column for each number of threads; "" if none was measured."""
    by_name: dict[str, dict[int, Any]] = {}
    for threads, rows in results.items():
        for row in rows:
            if not row["suite"]:
                by_name.setdefault(row["metric"], {})[threads] = row["ours"]
    if not by_name:
        return ""
    head = ["further metrics, s", *(f"{n} thread{'s' if n > 1 else ''}" for n in results)]
    return table(
        head,
        [
            [name, *(_show(found[n]["seconds"]) or found[n]["failed"] if n in found else "" for n in results)]
            for name, found in by_name.items()
        ],
    )


def scores_table(rows: Rows) -> str:
    """Values of both sides; "" if the peer has none."""
    lines = [
        [key, f"{pair['ours']:.4f}", f"{pair['peer']:.4f}", f"{pair['ours'] - pair['peer']:z.4f}"]
        for row in rows
        for key, pair in row["scores"].items()
        if pair["ours"] is not None and pair["peer"] is not None
    ]
    return table(["scores", "ours", "peer", "difference"], lines) if lines else ""


def _seconds(row: Mapping[str, Any], side: str) -> float | None:
    found: float | None = row.get(side, {}).get("seconds")
    return found


def _show(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:,.1f}" if seconds >= 100 else f"{seconds:.3g}"


def _times(theirs: float | None, ours: float | None) -> str:
    return f"{theirs / ours:,.1f}×" if theirs and ours else ""
