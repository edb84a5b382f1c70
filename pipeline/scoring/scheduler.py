"""The Ray tasks of an evaluation: one per trial that runs its model, then one per (trial, metric) on its
arrays.

    run_model(trial) -> mean, std, ... [N, ...] in Ray's object store, pictures, metrics of images
    score_metric(trial, metric; references to arrays) -> score

A metric of several seeds waits for the models of all of them, and each model is run once. A task that fails,
or kills its worker, affects no other task, with one exception: if a model cannot be run, its own metrics and
the metrics that compare it with other seeds have no value.

A few more trials are at work than fit at a time (a model being run, or its metrics), so that no core waits.
Arrays are released when the last task that needs them is done: memory holds the arrays of these trials, and
mean and std of the seeds of one setting while a metric compares them. Trials are run in their order. Of one
trial's metrics, the one that took longest so far starts first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from metrics.vocabulary import PEER_OF, Source, arrays_from
from pipeline.errors import UserError
from pipeline.scoring.computation import Score
from pipeline.scoring.model_runs import ModelRun, model_runs
from pipeline.scoring.score_cache import Work
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.applicability import truth_of
from pipeline.study.params import Params

__all__ = ["Outcome", "outcomes"]


@dataclass(frozen=True)
class Outcome:
    """The results of some tasks of one trial."""

    work: Work
    scores: Mapping[str, Score] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    """Metric -> why it has no value."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    broken: str = ""
    """Why the model could not be run; empty if it was."""
    last: bool = False
    """Whether no task of the trial is left."""
    seconds: float = 0.0
    """Time of the trial's tasks so far."""

    def joined(self, later: Outcome) -> Outcome:
        """This and a later outcome of the same trial in one."""
        return replace(
            later,
            scores={**self.scores, **later.scores},
            failures={**self.failures, **later.failures},
            pictures={**self.pictures, **later.pictures},
        )


def outcomes(
    work: Sequence[Work], params: Params, ready: Mapping[str, Ready], store: Store
) -> Iterator[Outcome]:
    """The outcome of each trial's tasks, as soon as some of them are done. Ray must be connected."""
    tasks = _Tasks(model_runs(work), params, ready, store)
    while tasks.start():
        together: dict[str, Outcome] = {}
        for outcome in tasks.collect():
            key = outcome.work.trial.key
            together[key] = together[key].joined(outcome) if key in together else outcome
        yield from together.values()


class _Tasks:
    """The running tasks, and the trials that wait."""

    def __init__(
        self, runs: Mapping[str, ModelRun], params: Params, ready: Mapping[str, Ready], store: Store
    ) -> None:
        import ray

        from pipeline.scoring.metric_task import score_metric
        from pipeline.scoring.model_task import run_model

        self.ray = ray
        self.runs = runs
        self.waiting = iter(runs.values())
        self.params = params
        self.ready = ready
        self.store = store
        self.running: dict[Any, tuple[ModelRun, str | None]] = {}
        """Task -> its trial, and its metric; None if it runs the model."""
        self.busy: Counter[str] = Counter()
        """Trial key -> number of running tasks."""
        self.truth: dict[str, dict[str, Any]] = {}
        """Data set -> array of its own -> Ray's reference to it; all its trials share these."""
        self.took: dict[str, float] = {}
        """Metric -> seconds of the last task."""
        shares = params.scheduling
        decorate: Any = ray.remote  # its own types know positional arguments only
        self.run_model = decorate(
            max_calls=0,  # else Ray ends a process that used a GPU, and the next one imports for seconds
            max_retries=shares.retries,
            num_cpus=shares.cpu,
            num_gpus=shares.gpu,
        )(run_model)
        core = min(1.0, shares.cpu)
        self.score_metric = decorate(max_retries=shares.retries, num_cpus=core, num_gpus=0)(score_metric)
        self.room = int(ray.cluster_resources().get("CPU", 1) / core) + 1

    def start(self) -> bool:
        """Start the models of as many trials as there is room for. Returns whether any task is running."""
        while len(self.busy) < self.room and (run := next(self.waiting, None)) is not None:
            self._run_model(run)
        return bool(self.running)

    def collect(self) -> Iterator[Outcome]:
        """Outcomes of all tasks that are done, of one at least; tasks that waited for these are started."""
        self.ray.wait(list(self.running))
        done, _ = self.ray.wait(list(self.running), num_returns=len(self.running), timeout=0)
        for reference in done:
            yield from self._collect(reference)

    def _collect(self, reference: Any) -> list[Outcome]:
        run, metric = self.running.pop(reference)
        try:
            result = self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            result = error.cause or error
        except self.ray.exceptions.RayError as error:
            result = error
        found = self._model_done(run, result) if metric is None else self._metric_done(run, metric, result)
        key = run.work.trial.key
        self.busy[key] -= 1
        if not self.busy[key]:
            del self.busy[key]
        return found

    def _run_model(self, run: ModelRun) -> None:
        work, names = run.work, sorted(run.arrays)
        calls = [metric.call for metric in work.metrics.values()]
        of_images = [call for call in calls if call.arrays & arrays_from(Source.BATCHES)]
        returned = self.run_model.options(name=work.trial.name, num_returns=1 + len(names)).remote(
            work.trial.config(),
            names,
            of_images,
            draw=work.draw,
            root=str(self.store.root),
            batch_size=self.params.evaluation.batch_size,
            samples=self.params.evaluation.samples,
            scheduling=self.params.scheduling.model_dump(),
        )
        result, *references = returned if names else [returned]
        run.references = dict(zip(names, references, strict=True))
        self._add(result, run, None)

    def _score(self, run: ModelRun, name: str) -> None:
        metric, trial = run.work.metrics[name], run.work.trial
        truth = self._truth(trial.dataset)
        facts: dict[str, Any] = {}
        arrays: list[tuple[str, Any]] = [("held_out", truth["held_out"])] if "held_out" in truth else []
        for array in sorted(metric.call.arrays - {"rng"}):
            if array in arrays_from(Source.DATA):
                has = {known: known in truth for known in ("factors", "attributes")}
                own = truth_of(name, array, **has)
                arrays += [(array, truth[own])] if own in truth else []
            elif array in PEER_OF:
                arrays += [(array, self.runs[peer.key].references[PEER_OF[array]]) for peer in metric.peers]
            elif array in run.facts:
                facts[array] = run.facts[array]
            else:
                arrays.append((array, run.references[array]))
        names, references = [array for array, _ in arrays], [reference for _, reference in arrays]
        task = self.score_metric.options(name=f"{name} of {trial.name}")
        self._add(task.remote(metric.call, trial.key, facts, names, *references), run, name)

    def _add(self, reference: Any, run: ModelRun, metric: str | None) -> None:
        self.running[reference] = (run, metric)
        self.busy[run.work.trial.key] += 1

    def _truth(self, dataset: str) -> dict[str, Any]:
        if dataset not in self.truth:
            data = self.ready[dataset]
            arrays = {name: getattr(data, name) for name in (*sorted(arrays_from(Source.DATA)), "attributes")}
            arrays["held_out"] = data.test
            present = {name: array for name, array in arrays.items() if array is not None}
            # Targets are the labels or the factors, held_out is test: each is placed once.
            placed = {key: self.ray.put(array) for key, array in {id(a): a for a in present.values()}.items()}
            self.truth[dataset] = {name: placed[id(array)] for name, array in present.items()}
        return self.truth[dataset]

    def _model_done(self, run: ModelRun, result: Any) -> list[Outcome]:
        """A model was run, or could not be: start its metrics, and those that waited for it."""
        found = []
        if isinstance(result, BaseException):
            text = (str(result).strip() or "no message").splitlines()[0]
            broken = text if isinstance(result, UserError) else f"{type(result).__name__}: {text}"
            run.unscored.clear()
            run.references.clear()
            for key in run.users:
                self.runs[key].unready = f"its peer {run.work.trial.name}: {broken}"
            found.append(Outcome(run.work, broken=broken, last=True))
        else:
            run.facts = result.facts
            run.seconds += result.seconds
            run.unscored -= result.scores.keys() | result.failures.keys()
            alone = [name for name in run.unscored if not run.work.metrics[name].peers]
            for name in self._longest_first(alone):
                self._score(run, name)
            run.references = {name: run.references[name] for name in run.compared}
            found.append(
                Outcome(
                    run.work,
                    result.scores,
                    result.failures,
                    result.pictures,
                    last=not run.unscored,
                    seconds=run.seconds,
                )
            )
        for key in sorted(run.users):
            user = self.runs[key]
            user.awaits.discard(run.work.trial.key)
            if not user.awaits:
                found += self._compare(user)
        return [outcome for outcome in found if outcome.work.metrics or outcome.work.draw]

    def _compare(self, run: ModelRun) -> list[Outcome]:
        """The models of all seeds that a trial's metrics compare have been run: start these metrics."""
        names = run.several()
        found = []
        if not run.unready:
            for name in self._longest_first(names):
                self._score(run, name)
        elif names:
            run.unscored -= set(names)
            reasons = dict.fromkeys(names, run.unready)
            found.append(Outcome(run.work, failures=reasons, last=not run.unscored, seconds=run.seconds))
        for key in run.partners:
            self.runs[key].users.discard(run.work.trial.key)
            if not self.runs[key].users:
                self.runs[
                    key
                ].references.clear()  # Ray keeps the arrays of started tasks until these are done
        return found

    def _metric_done(self, run: ModelRun, metric: str, result: Any) -> list[Outcome]:
        run.unscored.discard(metric)
        last = not run.unscored
        if isinstance(result, Score):
            self.took[metric] = result.seconds
            run.seconds += result.seconds
            return [Outcome(run.work, scores={metric: result}, last=last, seconds=run.seconds)]
        text = result if isinstance(result, str) else f"{type(result).__name__}: {str(result).strip()}"
        return [Outcome(run.work, failures={metric: text.splitlines()[0]}, last=last, seconds=run.seconds)]

    def _longest_first(self, names: Sequence[str]) -> list[str]:
        return sorted(names, key=lambda name: (-self.took.get(name, inf), name))
