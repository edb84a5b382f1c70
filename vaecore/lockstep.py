"""Several trainings advance side by side on one device and share one copy of the data.

On a GPU every training is a captured step on its own stream. One step of each training is queued in turn, so
that the steps fill each other's idle time. On a CPU each training goes to its next row in turn. No training
reads or writes anything of another one. So each result is bit for bit the result that the training has alone,
and one that diverges or fails does not change the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from vaecore.training import Row, Training

__all__ = ["advance"]


def advance(trainings: Sequence[Training]) -> list[Row | Exception]:
    """Advance each of ``trainings`` to its next row; none may be at its last step.

    One outcome for each training: its row, or the exception that ended it (``Diverged``, out of memory, ...).
    """
    outcomes: dict[int, Row | Exception] = {}
    on_gpu = [i for i, training in enumerate(trainings) if training.device.type == "cuda"]
    alone = [[i] for i in range(len(trainings)) if i not in on_gpu]
    for group in (*alone, on_gpu):
        _advance(trainings, group, outcomes)
    return [outcomes[i] for i in range(len(trainings))]


def _advance(trainings: Sequence[Training], group: list[int], outcomes: dict[int, Row | Exception]) -> None:
    """Advance the trainings of ``group`` together, one update of each in turn."""

    def attempt(i: int, method: str) -> None:
        try:
            row = getattr(trainings[i], method)()
        except Exception as error:
            outcomes[i] = error
        else:
            if row is not None:
                outcomes[i] = row

    for i in group:
        attempt(i, "open_row")
    while live := [i for i in group if i not in outcomes and trainings[i].pending]:
        for i in live:
            attempt(i, "advance")
    for i in group:
        if i not in outcomes:
            attempt(i, "close_row")
