"""The run of one trial: its training, and the files in its folder (log, history, checkpoint, result).

``pipeline.training.pack`` advances the training and reports each row, the end or a failure to the run, which
keeps it in the trial's folder. Times in the result:

    seconds     the trial's share of the worker's time: 1/n of every round in which n trials trained. The sum
                over trials is the time for which devices were in use.
    elapsed     seconds on the clock from the trial's start to its end, in which other trials trained too
    together    the largest number of trials, this one included, that trained side by side
"""

from __future__ import annotations

import logging
import pickle
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline.store.files import atomic, read_json, write_json
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study import provenance
from pipeline.study.expansion import needs_of
from pipeline.study.model import build, images_of, sampler_of
from pipeline.study.trial import Trial
from vaecore.batch import Sampler
from vaecore.images import Images
from vaecore.memory import device_failure
from vaecore.training import Row, Training

__all__ = ["Data", "Run", "data_of", "record_failure"]

LOG_SECONDS = 5.0
"""Least time between two lines of progress in a trial's log."""


@dataclass(frozen=True)
class Data:
    """A data set on the device: one copy for all trials of a worker."""

    ready: Ready
    images: Images
    rows: Tensor | None
    """int64 [n]: numbers of the rows to train on; None means all."""

    def sampler(self, trial: Trial) -> Sampler:
        """Batches of the rows to train on, with the labels or factors that the trial's family needs."""
        needs = needs_of(trial.family, trial.hyper)
        if needs not in self._samplers:
            self._samplers[needs] = sampler_of(self.ready, self.images, needs, self.rows)
        return self._samplers[needs]

    @cached_property
    def _samplers(self) -> dict[frozenset[str], Sampler]:
        return {}


def data_of(trial: Trial, store: Store, device: str) -> Data:
    """The trial's data set, its images on ``device``. The last is kept: trials of one data set share it."""
    return _read(store.root, trial.dataset, trial.checksum, device)


@lru_cache(maxsize=1)
def _read(root: Path, dataset: str, checksum: str, device: str) -> Data:
    ready = Store(root).read_ready(dataset)
    rows = ready.train_rows
    placed = None if rows is None else torch.from_numpy(rows).to(device)
    return Data(ready, images_of(ready).to(device), placed)


class Run:
    """A trial from its start, or its last checkpoint, to its end.

    Call ``start``, then ``add_seconds`` and ``record`` for every row, then ``finish``; or ``fail`` at any
    moment. ``close`` releases the model and the log.
    """

    def __init__(
        self, trial: Trial, store: Store, *, device: str = "cpu", checkpoint_seconds: float = 30.0
    ) -> None:
        self.trial = trial
        self.store = store
        self.device = device
        self.checkpoint_seconds = checkpoint_seconds
        self.folder = store.run(trial.dataset, trial.key)
        self.training: Training | None = None
        """None before the start and after the end."""
        self.seconds = 0.0
        self.together = 1
        self._history: list[dict[str, Any]] = []
        self._resumed = 0
        self._first_step = 0  # of this attempt
        self._earlier_seconds = 0.0  # of earlier attempts
        self._began = self._saved = self._logged = 0.0

    @cached_property
    def log(self) -> logging.Logger:
        """A logger that writes to the trial's ``trial.log`` alone. Creates the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = logging.Logger(self.trial.key, logging.INFO)
        handler = logging.FileHandler(self.folder / "trial.log")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        log.addHandler(handler)
        return log

    @property
    def complete(self) -> bool:
        """Whether all steps are done."""
        return self.training is not None and self.training.step >= self.trial.training.steps

    def start(self, data: Data) -> None:
        """Build the model and load the last checkpoint, if there is one.

        Raises:
            ValueError: the checkpoint is of another training.
        """
        self.log.info(
            "%s on %s (%s, %d threads)",
            self.trial.name,
            self.trial.dataset,
            self.device,
            torch.get_num_threads(),
        )
        for leftover in self.folder.glob(".*.tmp"):
            leftover.unlink(missing_ok=True)
        write_json(self.folder / "config.json", self.trial.config())
        training = Training(
            build(self.trial, data.ready),
            data.sampler(self.trial),
            self.trial.training,
            dict(self.trial.hyper),
            seed=self.trial.seed,
            device=self.device,
        )
        now = self._began = self._saved = self._logged = time.monotonic()
        self._resume(training, now)
        self._first_step, self._earlier_seconds = training.step, self.seconds
        self.training = training

    def add_seconds(self, seconds: float, together: int) -> None:
        """Account for a round of ``seconds`` in which ``together`` trials, this one included, trained."""
        self.seconds += seconds / together
        self.together = max(self.together, together)

    def record(self, row: Row) -> None:
        """Keep a row of the history; from time to time, write a line to the log and a checkpoint."""
        step, terms = row
        self._history.append({"step": step, **terms})
        now = time.monotonic()
        if now - self._logged >= LOG_SECONDS:
            self.log.info(
                "step %d: distortion %.2f, rate %.2f nats", step, terms["distortion"], terms["rate"]
            )
            self._logged = now
        if now - self._saved >= self.checkpoint_seconds and not self.complete:
            self._checkpoint(now)
            self._saved = now

    def finish(self, diverged_at: int | None = None) -> None:
        """Complete the folder: weights, history, result.

        Args:
            diverged_at: the step at which the loss was not finite; None if it always was.
        """
        training = self.training
        assert training is not None
        if diverged_at is not None:
            self.log.info("diverged: the loss was not finite at step %d", diverged_at)
        with atomic(self.folder / "model.safetensors") as temporary:
            save_file(
                {name: value.contiguous().cpu() for name, value in training.family.state_dict().items()},
                temporary,
            )
        with atomic(self.folder / "history.parquet") as temporary:
            history = self._history or {"step": pd.Series(dtype="int64")}
            pd.DataFrame(history).to_parquet(temporary, index=False)
        images = (training.step - self._first_step) * self.trial.training.batch_size
        status = "finished" if diverged_at is None else "diverged"
        result = {
            "status": status,
            "diverged_at": diverged_at,
            "steps": training.step,
            "seconds": round(self.seconds, 3),
            "elapsed": round(time.monotonic() - self._began, 3),
            "images_per_second": round(images / (self.seconds - self._earlier_seconds), 1)
            if images
            else None,
            "together": self.together,
            "interruptions": self._resumed,
            "device": self.device,
            "threads": torch.get_num_threads(),
            "precision": training.precision,
            "machine": provenance.machine(),
            "commit": provenance.git_commit(self.store.root),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        files = ("model.safetensors", "history.parquet", "config.json")
        self.store.write_result(self.trial.dataset, self.trial.key, result, files)
        beside = f", up to {self.together} side by side" if self.together > 1 else ""
        self.log.info("%s after %d steps, %.1f s%s", status, training.step, self.seconds, beside)
        self.close()

    def fail(self, error: Exception, together: int | None = None) -> None:
        """Write the reason of a failure to the log and to ``failure.json``; keep the checkpoint.

        Args:
            together: if the device failed, the number of trials that were training on it.
        """
        detail = "".join(traceback.format_exception(error))
        try:
            self.log.error("failed\n%s", detail.rstrip())
            record_failure(self.trial, self.store, reason_of(error), detail, together)
        except (
            OSError
        ):  # the disk may be full, and the reason of the failure; the driver gets it from the pack
            pass
        self.close()

    def close(self) -> None:
        """Release the training and close the log."""
        self.training = None
        for handler in self.log.handlers if "log" in self.__dict__ else ():
            handler.close()
        self.__dict__.pop("log", None)

    def _checkpoint(self, now: float) -> None:
        assert self.training is not None
        state = {
            "training": self.training.state_dict(),
            "history": self._history,
            "seconds": self.seconds,
            "elapsed": now - self._began,
            "together": self.together,
            "resumed": self._resumed,
            "device": self.device,
        }
        with atomic(self.folder / "checkpoint.pt") as temporary:
            torch.save(state, temporary)

    def _resume(self, training: Training, now: float) -> None:
        """Load the last checkpoint, if there is one; a damaged one is removed."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return
        try:
            saved = torch.load(path, weights_only=True, map_location="cpu")
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            if device_failure(error):
                raise
            self.log.warning("checkpoint.pt is damaged (%s); training starts again", error)
            path.unlink()
            return
        if saved.get("device", self.device) != self.device:  # its random numbers differ
            self.log.warning("the checkpoint is of a run on %s; training starts again", saved["device"])
            return
        training.load_state_dict(saved["training"])
        self._history, self.seconds, self._resumed = saved["history"], saved["seconds"], saved["resumed"] + 1
        self.together = saved.get("together", 1)
        self._began = now - saved.get("elapsed", self.seconds)
        self.log.info("resumed at step %d", training.step)


def reason_of(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {error}"


def record_failure(trial: Trial, store: Store, reason: str, detail: str, together: int | None = None) -> None:
    """Write ``failure.json``, which counts the attempts; a later success removes it.

    Args:
        reason: one line.
        detail: all that is known, such as a traceback.
        together: the number of trials on the device when it failed or the worker died; None otherwise.
    """
    path = store.run(trial.dataset, trial.key) / "failure.json"
    attempts = (read_json(path) or {}).get("attempts", 0) + 1
    failure = {
        "trial": trial.name,
        "reason": reason,
        "detail": detail,
        "attempts": attempts,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if together is not None:
        failure["together"] = together
    write_json(path, failure)
