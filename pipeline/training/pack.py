"""Several trials in one process, as many at a time as wanted and as fit, sharing one copy of their data.

    waiting --(room in memory)--> live --(last step, or the loss not finite)--> ended
                                   |----(an error of its own)----------------> failed; the others go on
                                   '----(the device fails)-------------------> every live one failed; no more is done

A trial that becomes live is brought to its first row by itself, which tells what it takes of the device's memory; then all live trials go from
row to row together. Another is admitted while the free memory is at least 1.25 times the most that one has taken so far.

Each trial has its own folder, log, history and checkpoint (``pipeline.training.run``), and its result is what it would be alone, bit for bit
(``vaecore.packing``). A trial alone is a pack of one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.store.layout import Store
from pipeline.study.trial import Trial
from pipeline.training.assignment import smaller
from pipeline.training.pack_size import Growth
from pipeline.training.run import Run, data_of, reason_of
from vaecore.memory import device_failure, free_memory
from vaecore.packing import advance
from vaecore.training import Diverged, Row

__all__ = ["Event", "Pack", "PackFailed", "train"]

ROOM = 1.25
"""What must be free, in units of the most that a trial has taken: trials of another family may take more."""


@dataclass(frozen=True)
class Event:
    """What happened: to the trial ``key``, or, said of all of them, with no key."""

    kind: Literal["started", "row", "ended", "failed", "line"]
    key: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)
    """A row: step, distortion, rate. Failed: reason. A line: text."""


class PackFailed(RuntimeError):  # noqa: N818 - like Diverged, what became of it
    """Trials of a pack failed; each has its reason in its folder."""


def train(trials: Sequence[Trial], store: Store, **options: Any) -> Iterator[list[Event]]:
    """Train ``trials`` that are not finished, in one process; the options are :class:`Pack`'s. See :meth:`Pack.rounds`."""
    return Pack(trials, store, **options).rounds()


class Pack:
    """Trials of one data set, to be trained in one process."""

    def __init__(
        self,
        trials: Sequence[Trial],
        store: Store,
        *,
        device: str = "cpu",
        side_by_side: int | None = 1,
        checkpoint_seconds: float = 30.0,
        last_attempt: Mapping[str, int] | None = None,
    ) -> None:
        """Finished trials are skipped, and where a device has failed before, fewer train side by side.

        Args:
            side_by_side: trials that train at a time; None finds out.
            last_attempt: trial key -> the number of failed attempts after which it is left alone.
        """
        failures = {trial.key: store.failure(trial.dataset, trial.key) or {} for trial in trials}
        runs = [
            Run(trial, store, device=device, checkpoint_seconds=checkpoint_seconds)
            for trial in trials
            if store.result(trial.dataset, trial.key) is None
            and (last_attempt is None or failures[trial.key].get("attempts", 0) < last_attempt[trial.key])
        ]
        self.dataset = trials[0].dataset
        self.device = device
        self.size = len(runs)
        self.waiting = deque(runs)
        self.live: list[Run] = []
        self.errors: list[Exception] = []
        wanted = min(side_by_side or self.size, self.size)
        limits = [limit for failure in failures.values() if (limit := smaller(failure)) is not None]
        largest = max(1, min([wanted, *limits]))
        self.growth = Growth(largest, fixed=side_by_side is not None)
        self._reduced = largest < wanted
        self._most_taken = 0  # bytes
        self._free_at_first: int | None = None
        self._said = False  # that not all fit
        self._mark = 0.0  # the worker's time is accounted for up to here

    def rounds(self) -> Iterator[list[Event]]:
        """Train to the end of all; yields what happened, at least once per row.

        Raises:
            Exception: what a trial failed of, where it was the only one.
            PackFailed: several failed.
        """
        try:
            if self._reduced:
                yield [self._line(f"at most {self.growth.largest} of a pack of {self.size} train side by side: the device failed with more")]  # fmt: skip
            while self.waiting or self.live:
                while self.waiting and len(self.live) < self.growth.size:
                    if not self._has_room():
                        self.growth.stop(len(self.live))
                        if not self._said:
                            yield [self._not_all_fit()]
                        break
                    yield from self._admit(self.waiting.popleft())
                if self.live:
                    yield self._round()
        finally:
            for run in (*self.live, *self.waiting):
                run.close()
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            reasons = dict.fromkeys(reason_of(error) for error in self.errors)
            raise PackFailed(f"{len(self.errors)} of {self.size} trials failed: {'; '.join(reasons)}")

    def _has_room(self) -> bool:
        """Whether another trial may become live. The first always may: there is nothing to wait for."""
        if not self.live:
            return True
        free = self._free()
        return free is None or free >= ROOM * self._most_taken

    def _free(self) -> int | None:
        try:
            return free_memory(self.device)
        except RuntimeError:  # the device is lost; the next round will find so too, and say why
            return None

    def _admit(self, run: Run) -> Iterator[list[Event]]:
        """Make a trial live, and bring it to its first row."""
        self.live.append(run)
        yield [Event("started", run.trial.key)]
        try:
            data = data_of(run.trial, run.store, self.device)
            before = self._free()
            run.start(data)
            if run.complete:  # untrained, or interrupted after its last row
                run.finish()
        except Exception as error:
            yield self._fail({run: error})
            return
        if run.training is None:
            self.live.remove(run)
            yield [Event("ended", run.trial.key)]
            return
        self._mark = time.monotonic()
        yield self._settle([run], advance([run.training]))
        after = self._free()
        if before is not None and after is not None:
            self._most_taken = max(self._most_taken, before - after)
            self._free_at_first = before if self._free_at_first is None else self._free_at_first

    def _round(self) -> list[Event]:
        """Bring every live trial to its next row."""
        runs = list(self.live)
        trainings = [run.training for run in runs if run.training is not None]
        images = -sum(training.step * training.settings.batch_size for training in trainings)
        began = time.monotonic()
        outcomes = advance(trainings)
        seconds = time.monotonic() - began
        images += sum(training.step * training.settings.batch_size for training in trainings)
        self.growth.measured(len(runs), images, seconds)
        return self._settle(runs, outcomes)

    def _settle(self, runs: Sequence[Run], outcomes: Sequence[Row | Exception]) -> list[Event]:
        """Keep what ``runs`` came to; it took them the time since the last account."""
        now = time.monotonic()
        seconds, self._mark = now - self._mark, now
        for run in runs:
            run.spend(seconds, len(runs))
        errors = {
            run: outcome
            for run, outcome in zip(runs, outcomes, strict=True)
            if isinstance(outcome, Exception) and not isinstance(outcome, Diverged)
        }
        events: list[Event] = []
        if not any(map(device_failure, errors.values())):
            for run, outcome in zip(runs, outcomes, strict=True):
                try:
                    events += self._keep(run, outcome) if run not in errors else []
                except Exception as error:  # its disk is full, ...
                    errors[run] = error
        return events + (self._fail(errors) if errors else [])

    def _keep(self, run: Run, outcome: Row | Exception) -> Iterator[Event]:
        """Keep a row or a divergence."""
        if isinstance(outcome, Diverged):
            run.finish(diverged_at=outcome.step)
        else:
            assert not isinstance(outcome, Exception)
            run.take(outcome)
            step, terms = outcome
            shown = {name: terms[name] for name in ("distortion", "rate")}
            yield Event("row", run.trial.key, {"step": step, **shown})
            if not run.complete:
                return
            run.finish()
        self.live.remove(run)
        yield Event("ended", run.trial.key)

    def _fail(self, errors: Mapping[Run, Exception]) -> list[Event]:
        """End the trials that failed; where it was the device, every live one, and the pack with them."""
        lost = next((error for error in errors.values() if device_failure(error)), None)
        failed = {run: errors.get(run, lost) for run in self.live} if lost is not None else dict(errors)
        together = len(self.live) if lost is not None else None
        events = []
        for run, error in failed.items():
            assert error is not None
            run.fail(error, together)
            self.live.remove(run)
            self.errors.append(error)
            events.append(Event("failed", run.trial.key, {"reason": reason_of(error)}))
        for error in self.errors:  # what their frames hold is the memory of trials that are gone
            error.__traceback__ = error.__context__ = error.__cause__ = None
        if lost is not None:
            for run in self.waiting:
                run.close()
            self.waiting.clear()
        return events

    def _not_all_fit(self) -> Event:
        """Say that trials wait for memory: once, and in their logs."""
        self._said = True
        fit, free = len(self.live), (self._free_at_first or 0) / 1e9
        line = self._line(f"{fit} of a pack of {self.size} fit into {free:.1f} GB of free memory; the others train after them")  # fmt: skip
        for run in self.waiting:
            with suppress(OSError):
                run.log.info("%s", line.content["text"])
        return line

    def _line(self, text: str) -> Event:
        return Event("line", content={"text": f"{self.dataset}: {text}"})
