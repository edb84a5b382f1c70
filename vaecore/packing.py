"""Several trainings side by side on one device, sharing one copy of the data.

On a GPU every training is a captured step on a stream of its own, and the steps of all are queued in turns: what one leaves idle the
others fill. On a CPU each goes to its next row in turn. No training reads or writes anything of another's, so each one's result is what it
would be alone, bit for bit, and one that diverges or fails leaves the others as they were.
"""

from __future__ import annotations

from collections.abc import Sequence

from vaecore.training import Row, Training

__all__ = ["advance"]


def advance(trainings: Sequence[Training]) -> list[Row | Exception]:
    """Bring each of ``trainings``, none of them at its last step, to its next row.

    One outcome for each, in their order: the row, or the exception that ended it (``Diverged``, out of memory, ...).
    """
    outcomes: dict[int, Row | Exception] = {}
    on_gpu = [i for i, training in enumerate(trainings) if training.device.type == "cuda"]
    alone = [[i] for i in range(len(trainings)) if i not in on_gpu]
    for group in (*alone, on_gpu):
        _advance(trainings, group, outcomes)
    return [outcomes[i] for i in range(len(trainings))]


def _advance(trainings: Sequence[Training], group: list[int], outcomes: dict[int, Row | Exception]) -> None:
    """The trainings of ``group``, one update of each at a time."""

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
