"""One trial being run: its folder, its log, its history, and where it stands.

A run is told what happens to its training (a row, its end, a failure) and keeps it in the trial's folder, whoever drives the training and
whatever trains beside it: a trial alone is a pack of one (``pipeline.training.pack``).

    seconds    of the worker's time, the share that the trial had: 1/n of every round in which n trained. The sum over trials is the
               time that devices were used.
    elapsed    seconds on the clock from its start to its end, in which others trained too
    together   the most trials, itself among them, that trained side by side while it did
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
"""Between two lines of progress in a trial's log."""


@dataclass(frozen=True)
class Data:
    """A data set as training takes it: one copy for all trials of a worker."""

    ready: Ready
    images: Images
    rows: Tensor | None
    """int64 [n]: the rows to train on; None means all."""

    def sampler(self, trial: Trial) -> Sampler:
        """Batches of the rows to train on, with what the trial's family needs."""
        needs = needs_of(trial.family, trial.hyper)
        if needs not in self._samplers:
            self._samplers[needs] = sampler_of(self.ready, self.images, needs, self.rows)
        return self._samplers[needs]

    @cached_property
    def _samplers(self) -> dict[frozenset[str], Sampler]:
        return {}


def data_of(trial: Trial, store: Store, device: str) -> Data:
    """The trial's data set, its images on ``device``: read and put there once per process, until another one is asked for."""
    return _read(store.root, trial.dataset, trial.checksum, device)


@lru_cache(maxsize=1)
def _read(root: Path, dataset: str, checksum: str, device: str) -> Data:
    ready = Store(root).read_ready(dataset)
    rows = ready.train_rows
    placed = None if rows is None else torch.from_numpy(rows).to(device)
    return Data(ready, images_of(ready).to(device), placed)


class Run:
    """A trial from its start, or its last checkpoint, to its end.

    ``start``, then ``spend`` and ``take`` for every row, then ``finish``; or ``fail`` at any moment. ``close`` is the end of all.
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
        """What to advance; None before the start and after the end."""
        self.seconds = 0.0
        self.together = 1
        self._history: list[dict[str, Any]] = []
        self._resumed = 0
        self._first = 0  # the step, and below the seconds, that this attempt began with
        self._earlier = 0.0
        self._began = self._saved = self._logged = 0.0

    @cached_property
    def log(self) -> logging.Logger:
        """The trial's own: what it says is in ``trial.log`` and nowhere else. Makes the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = logging.Logger(self.trial.key, logging.INFO)
        handler = logging.FileHandler(self.folder / "trial.log")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        log.addHandler(handler)
        return log

    @property
    def complete(self) -> bool:
        """Whether it has taken all of its steps."""
        return self.training is not None and self.training.step >= self.trial.training.steps

    def start(self, data: Data) -> None:
        """Build the model and take up the last checkpoint, where there is one.

        Raises:
            ValueError: the checkpoint is another training's.
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
        self._first, self._earlier = training.step, self.seconds
        self.training = training

    def spend(self, seconds: float, together: int) -> None:
        """So much of the worker's time went into a round of ``together`` trials of which this was one."""
        self.seconds += seconds / together
        self.together = max(self.together, together)

    def take(self, row: Row) -> None:
        """Keep a row of the history; write a line to the log, and a checkpoint, where it is time."""
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
        """Leave the folder complete: the weights, the history, and how it went. ``diverged_at``: where the loss was not finite."""
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
        images = (training.step - self._first) * self.trial.training.batch_size
        status = "finished" if diverged_at is None else "diverged"
        result = {
            "status": status,
            "diverged_at": diverged_at,
            "steps": training.step,
            "seconds": round(self.seconds, 3),
            "elapsed": round(time.monotonic() - self._began, 3),
            "images_per_second": round(images / (self.seconds - self._earlier), 1) if images else None,
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
        """Note why this attempt ended, in the log and in ``failure.json``; the checkpoint stays for the next one.

        ``together``: where the device failed, how many trials were training on it.
        """
        detail = "".join(traceback.format_exception(error))
        try:
            self.log.error("failed\n%s", detail.rstrip())
            record_failure(self.trial, self.store, reason_of(error), detail, together)
        except OSError:  # the disk, which may be why it failed; the pack tells the driver what it knows
            pass
        self.close()

    def close(self) -> None:
        """Let go of the training and of the log."""
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
        """Take up the last checkpoint, where there is a whole one."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return
        try:
            saved = torch.load(path, weights_only=True, map_location="cpu")
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            if device_failure(error):
                raise
            self.log.warning("checkpoint.pt is damaged (%s); training starts anew", error)
            path.unlink()
            return
        if saved.get("device", self.device) != self.device:  # whose random numbers are others
            self.log.warning("the checkpoint is of a run on %s; training starts anew", saved["device"])
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
    """Note why an attempt failed; the next success removes it.

    ``together``: how many trials were training on the device when it failed or the worker died; None where that was not why.
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
