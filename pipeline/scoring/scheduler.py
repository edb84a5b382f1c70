"""The Ray tasks of an evaluation: one per trial that runs its model, then one per (trial, metric) on what it gave.

    run_model(trial) -> mean, std, ... [N, ...] in Ray's object store, pictures, metrics of images
    score_metric(trial, metric; arrays by reference) -> score

A metric of several seeds waits for the models of all of them, and each model is run once. What fails, or kills its worker, is
that task's alone: a model that cannot be run takes its own metrics along, and those that take it as a peer.

At any time there are a few more trials at work than fit (a model being run, or its metrics), so that no core waits, and
arrays are let go as soon as the last task that takes them is done: memory holds the arrays of so many trials, and mean and std of the
seeds of one setting where a metric compares them. Trials come in their order; of one trial's metrics the one that took longest
so far comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from pipeline.errors import UserError
from pipeline.scoring.computation import Score
from pipeline.scoring.model_runs import Step, steps
from pipeline.scoring.score_cache import Work
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.metric_inputs import BY_BATCH, PEER_OF, TRUTH, truth_of
from pipeline.study.params import Params

__all__ = ["Found", "results"]


@dataclass(frozen=True)
class Found:
    """What tasks of one trial gave."""

    work: Work
    scores: Mapping[str, Score] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    """Metric -> why it has no value."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    broken: str = ""
    """Why the model could not be run, where that is so."""
    last: bool = False
    """Whether nothing of the trial is left."""
    seconds: float = 0.0
    """What the trial's tasks took so far."""

    def joined(self, later: Found) -> Found:
        """This and what was found of the same trial later."""
        return replace(
            later,
            scores={**self.scores, **later.scores},
            failures={**self.failures, **later.failures},
            pictures={**self.pictures, **later.pictures},
        )


def results(
    work: Sequence[Work], params: Params, ready: Mapping[str, Ready], store: Store
) -> Iterator[Found]:
    """What is found as tasks are done; where several of one trial are, at once. Ray has to be connected."""
    tasks = _Tasks(steps(work), params, ready, store)
    while tasks.start():
        together: dict[str, Found] = {}
        for found in tasks.collect():
            key = found.work.trial.key
            together[key] = together[key].joined(found) if key in together else found
        yield from together.values()


class _Tasks:
    """Those under way, and the trials that are waiting."""

    def __init__(
        self, steps: Mapping[str, Step], params: Params, ready: Mapping[str, Ready], store: Store
    ) -> None:
        import ray

        from pipeline.scoring.metric_task import score_metric
        from pipeline.scoring.model_task import run_model

        self.ray = ray
        self.steps = steps
        self.waiting = iter(steps.values())
        self.params = params
        self.ready = ready
        self.store = store
        self.running: dict[Any, tuple[Step, str | None]] = {}
        """Task -> its trial, and its metric where it is not the model."""
        self.busy: Counter[str] = Counter()
        """Trial key -> tasks."""
        self.truth: dict[str, dict[str, Any]] = {}
        """Data set -> what all its trials share, where Ray has it."""
        self.took: dict[str, float] = {}
        """Metric -> seconds."""
        shares = params.scheduling
        decorate: Any = ray.remote  # its own types know positional arguments only
        self.run_model = decorate(
            max_calls=0,  # Ray ends a process that used a GPU after one, and it takes seconds to import for the next
            max_retries=shares.retries,
            num_cpus=shares.cpu,
            num_gpus=shares.gpu,
        )(run_model)
        core = min(1.0, shares.cpu)
        self.score_metric = decorate(max_retries=shares.retries, num_cpus=core, num_gpus=0)(score_metric)
        self.room = int(ray.cluster_resources().get("CPU", 1) / core) + 1

    def start(self) -> bool:
        """Have as many trials at work as there is room for; whether there is any."""
        while len(self.busy) < self.room and (step := next(self.waiting, None)) is not None:
            self._run_model(step)
        return bool(self.running)

    def collect(self) -> Iterator[Found]:
        """Wait until some task is done; what those gave that are, after the tasks were started that waited for them."""
        self.ray.wait(list(self.running))
        done, _ = self.ray.wait(list(self.running), num_returns=len(self.running), timeout=0)
        for reference in done:
            yield from self._collect(reference)

    def _collect(self, reference: Any) -> list[Found]:
        step, metric = self.running.pop(reference)
        try:
            answer = self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            answer = error.cause or error
        except self.ray.exceptions.RayError as error:
            answer = error
        found = self._scored(step, metric, answer) if metric is not None else self._seen(step, answer)
        key = step.work.trial.key
        self.busy[key] -= 1
        if not self.busy[key]:
            del self.busy[key]
        return found

    def _run_model(self, step: Step) -> None:
        work, names = step.work, sorted(step.arrays)
        of_images = {
            name: (asked.settings, asked.takes)
            for name, asked in work.wanted.items()
            if asked.takes & BY_BATCH
        }
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
        seen, *references = returned if names else [returned]
        step.references = dict(zip(names, references, strict=True))
        self._add(seen, step, None)

    def _score(self, step: Step, name: str) -> None:
        asked, trial = step.work.wanted[name], step.work.trial
        truth = self._truth(trial.dataset)
        facts: dict[str, Any] = {}
        arrays: list[tuple[str, Any]] = [("held_out", truth["held_out"])] if "held_out" in truth else []
        for argument in sorted(asked.takes - {"rng"}):
            if argument in TRUTH:
                has = {array: array in truth for array in ("factors", "attributes")}
                array = truth_of(name, argument, **has)
                arrays += [(argument, truth[array])] if array in truth else []
            elif argument in PEER_OF:
                taken = PEER_OF[argument]
                arrays += [(argument, self.steps[peer.key].references[taken]) for peer in asked.peers]
            elif argument in step.facts:
                facts[argument] = step.facts[argument]
            else:
                arrays.append((argument, step.references[argument]))
        names, references = [name for name, _ in arrays], [reference for _, reference in arrays]
        task = self.score_metric.options(name=f"{name} of {trial.name}")
        self._add(
            task.remote(name, asked.settings, asked.interval, trial.key, facts, names, *references),
            step,
            name,
        )

    def _add(self, reference: Any, step: Step, metric: str | None) -> None:
        self.running[reference] = (step, metric)
        self.busy[step.work.trial.key] += 1

    def _truth(self, dataset: str) -> dict[str, Any]:
        if dataset not in self.truth:
            data = self.ready[dataset]
            arrays = {name: getattr(data, name) for name in (*sorted(TRUTH), "attributes")}
            arrays["held_out"] = data.test
            present = {name: array for name, array in arrays.items() if array is not None}
            # Targets are the labels or the factors, held_out is test: each is placed once.
            placed = {key: self.ray.put(array) for key, array in {id(a): a for a in present.values()}.items()}
            self.truth[dataset] = {name: placed[id(array)] for name, array in present.items()}
        return self.truth[dataset]

    def _seen(self, step: Step, answer: Any) -> list[Found]:
        """A model was run, or could not be: its metrics are started, and those that waited for it."""
        found = []
        if isinstance(answer, BaseException):
            text = (str(answer).strip() or "no message").splitlines()[0]
            broken = text if isinstance(answer, UserError) else f"{type(answer).__name__}: {text}"
            step.unscored.clear()
            step.references.clear()
            for key in step.users:
                self.steps[key].unready = f"its peer {step.work.trial.name}: {broken}"
            found.append(Found(step.work, broken=broken, last=True))
        else:
            step.facts = answer.facts
            step.seconds += answer.seconds
            step.unscored -= answer.scores.keys() | answer.failures.keys()
            alone = [name for name in step.unscored if not step.work.wanted[name].peers]
            for name in self._longest_first(alone):
                self._score(step, name)
            step.references = {name: step.references[name] for name in step.compared}
            found.append(
                Found(
                    step.work,
                    answer.scores,
                    answer.failures,
                    answer.pictures,
                    last=not step.unscored,
                    seconds=step.seconds,
                )
            )
        for key in sorted(step.users):
            user = self.steps[key]
            user.awaits.discard(step.work.trial.key)
            if not user.awaits:
                found += self._compare(user)
        return [item for item in found if item.work.wanted or item.work.draw]

    def _compare(self, step: Step) -> list[Found]:
        """The models that a trial's metrics of several seeds take have been run: start these."""
        names = step.several()
        found = []
        if not step.unready:
            for name in self._longest_first(names):
                self._score(step, name)
        elif names:
            step.unscored -= set(names)
            reasons = dict.fromkeys(names, step.unready)
            found.append(Found(step.work, failures=reasons, last=not step.unscored, seconds=step.seconds))
        for key in step.partners:
            self.steps[key].users.discard(step.work.trial.key)
            if not self.steps[key].users:
                self.steps[key].references.clear()  # Ray keeps what started tasks take until they are done
        return found

    def _scored(self, step: Step, metric: str, answer: Any) -> list[Found]:
        step.unscored.discard(metric)
        last = not step.unscored
        if isinstance(answer, Score):
            self.took[metric] = answer.seconds
            step.seconds += answer.seconds
            return [Found(step.work, scores={metric: answer}, last=last, seconds=step.seconds)]
        text = answer if isinstance(answer, str) else f"{type(answer).__name__}: {str(answer).strip()}"
        return [Found(step.work, failures={metric: text.splitlines()[0]}, last=last, seconds=step.seconds)]

    def _longest_first(self, names: Sequence[str]) -> list[str]:
        return sorted(names, key=lambda name: (-self.took.get(name, inf), name))
