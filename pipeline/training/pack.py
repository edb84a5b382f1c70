"""Train the trials of a pack in one process: as many side by side as pay and as fit into memory.

    waiting --(memory suffices)--> live --(last step, or the loss is not finite)--> ended
                                    |----(an error of its own)--------------------> failed; the others go on
                                    '----(the device fails)-----------------------> all live ones failed; end

A trial that becomes live is brought to its first row alone, which shows how much of the device's memory it
uses. Then all live trials advance from row to row together. Another trial is admitted while the free memory
is at least 1.25 times the most that one trial has used so far.

Each trial has its own folder, log, history and checkpoint (``pipeline.training.run``). Its result is the
same, bit for bit, as if it had been trained alone (``vaecore.lockstep``). A single trial is a pack of one.
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
from pipeline.training.assignment import limit_after
from pipeline.training.pack_size import PackSize
from pipeline.training.run import Run, data_of, reason_of
from vaecore.lockstep import advance
from vaecore.memory import device_failure, free_memory
from vaecore.training import Diverged, Row

__all__ = ["Event", "Pack", "PackFailed", "train"]

ROOM = 1.25
"""Free memory that another trial requires, relative to the most that a trial has used: families differ."""


@dataclass(frozen=True)
class Event:
    """Something that happened to the trial ``key``, or a message about the pack, which has no key."""

    kind: Literal["started", "row", "ended", "failed", "message"]
    key: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)
    """row: step, distortion, rate. failed: reason. message: text. Empty otherwise."""


class PackFailed(RuntimeError):  # noqa: N818 - named like Diverged, after the outcome
    """Several trials of a pack failed; the reason of each is in its folder."""


def train(trials: Sequence[Trial], store: Store, **options: Any) -> Iterator[list[Event]]:
    """Train the unfinished ones of ``trials`` in this process: :meth:`Pack.rounds` of a :class:`Pack`."""
    return Pack(trials, store, **options).rounds()


class Pack:
    """Trials of one data set that are trained in one process."""

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
        """Finished trials are skipped. If the device has failed before, fewer trials train side by side.

        Args:
            side_by_side: number of trials that train at a time; None finds it by measurement.
            last_attempt: trial key -> number of failed attempts after which the trial is skipped.
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
        self.total = len(runs)
        self.waiting = deque(runs)
        self.live: list[Run] = []
        self.errors: list[Exception] = []
        requested = min(side_by_side or self.total, self.total)
        limits = [limit for failure in failures.values() if (limit := limit_after(failure)) is not None]
        largest = max(1, min([requested, *limits]))
        self.size = PackSize(largest, fixed=side_by_side is not None)
        self._reduced = largest < requested
        self._most_used = 0  # bytes
        self._free_at_first: int | None = None
        self._reported_full = False  # whether it was reported that not all trials fit into memory
        self._accounted_until = 0.0  # on the clock: up to here the worker's time is shared out

    def rounds(self) -> Iterator[list[Event]]:
        """Train all trials to their ends; yield the events, at least once per row.

        Raises:
            Exception: the error of a trial, if one failed.
            PackFailed: several trials failed.
        """
        try:
            if self._reduced:
                limit = f"at most {self.size.largest} of a pack of {self.total} train side by side"
                yield [self._message(f"{limit}: the device failed with more")]
            while self.waiting or self.live:
                while self.waiting and len(self.live) < self.size.current:
                    if not self._has_room():
                        self.size.limit(len(self.live))
                        if not self._reported_full:
                            yield [self._report_full()]
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
            raise PackFailed(f"{len(self.errors)} of {self.total} trials failed: {'; '.join(reasons)}")

    def _has_room(self) -> bool:
        """Whether memory suffices for another trial. The first is always admitted."""
        if not self.live:
            return True
        free = self._free()
        return free is None or free >= ROOM * self._most_used

    def _free(self) -> int | None:
        try:
            return free_memory(self.device)
        except RuntimeError:  # the device is lost: the next round fails too, and reports why
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
        self._accounted_until = time.monotonic()
        yield self._record([run], advance([run.training]))
        after = self._free()
        if before is not None and after is not None:
            self._most_used = max(self._most_used, before - after)
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
        self.size.record_round(len(runs), images, seconds)
        return self._record(runs, outcomes)

    def _record(self, runs: Sequence[Run], outcomes: Sequence[Row | Exception]) -> list[Event]:
        """Record each run's outcome of a round, and its share of the time since the last round."""
        now = time.monotonic()
        seconds, self._accounted_until = now - self._accounted_until, now
        for run in runs:
            run.add_seconds(seconds, len(runs))
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
        """Keep a row or a divergence in the trial's folder."""
        if isinstance(outcome, Diverged):
            run.finish(diverged_at=outcome.step)
        else:
            assert not isinstance(outcome, Exception)
            run.record(outcome)
            step, terms = outcome
            shown = {name: terms[name] for name in ("distortion", "rate")}
            yield Event("row", run.trial.key, {"step": step, **shown})
            if not run.complete:
                return
            run.finish()
        self.live.remove(run)
        yield Event("ended", run.trial.key)

    def _fail(self, errors: Mapping[Run, Exception]) -> list[Event]:
        """End the trials that failed; if the device failed, end all live trials and the pack."""
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
        for error in self.errors:  # their frames would keep the memory of the failed trials
            error.__traceback__ = error.__context__ = error.__cause__ = None
        if lost is not None:
            for run in self.waiting:
                run.close()
            self.waiting.clear()
        return events

    def _report_full(self) -> Event:
        """Report once, also in the logs of the waiting trials, that they wait for memory."""
        self._reported_full = True
        fit, free = f"{len(self.live)} of a pack of {self.total}", (self._free_at_first or 0) / 1e9
        text = f"{fit} fit into {free:.1f} GB of free memory; the others train after them"
        message = self._message(text)
        for run in self.waiting:
            with suppress(OSError):
                run.log.info("%s", message.content["text"])
        return message

    def _message(self, text: str) -> Event:
        return Event("message", content={"text": f"{self.dataset}: {text}"})
