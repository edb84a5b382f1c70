"""The models that an evaluation runs, each once: for its own metrics, and for those of other seeds that
compare it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from metrics.vocabulary import PEER_OF, Source, arrays_from
from pipeline.scoring.score_cache import Work

__all__ = ["ModelRun", "model_runs"]


@dataclass
class ModelRun:
    """A trial whose model has to be run: for its own metrics, or as a peer of other trials."""

    work: Work
    arrays: set[str] = field(default_factory=set)
    """The arrays to compute in the run."""
    compared: set[str] = field(default_factory=set)
    """Those of them that metrics of several seeds need."""
    partners: set[str] = field(default_factory=set)
    """Keys of the trials that its metrics of several seeds compare: its own and its peers'."""
    awaits: set[str] = field(default_factory=set)
    """Keys of the partners whose models have not been run yet."""
    users: set[str] = field(default_factory=set)
    """Keys of the trials that compare this one, until their metrics of several seeds are started."""
    references: dict[str, Any] = field(default_factory=dict)
    """Array -> Ray's reference to it, as long as a task that needs it may be started."""
    facts: dict[str, Any] = field(default_factory=dict)
    unscored: set[str] = field(default_factory=set)
    """Metrics without a result yet."""
    unready: str = ""
    """Why its metrics of several seeds cannot be computed."""
    seconds: float = 0.0

    def several(self) -> list[str]:
        """Its metrics of several seeds without a result yet."""
        return [name for name, metric in self.work.metrics.items() if metric.peers and name in self.unscored]


def model_runs(work: Sequence[Work]) -> dict[str, ModelRun]:
    """Trial key -> run, in the order of the work. A peer without work of its own comes after its user."""
    own = {item.trial.key: item for item in work}
    found: dict[str, ModelRun] = {}
    for item in work:
        run = found.setdefault(item.trial.key, ModelRun(item))
        run.unscored = set(item.metrics)
        for metric in item.metrics.values():
            needed = _of_own_model(metric.call.arrays)
            run.arrays |= needed
            if not metric.peers:
                continue
            run.compared |= needed
            for peer in metric.peers:
                work_of_peer = own.get(peer.key) or Work(peer, metrics={}, draw=False)
                other = found.setdefault(peer.key, ModelRun(work_of_peer))
                shared = {PEER_OF[name] for name in metric.call.arrays & PEER_OF.keys()}
                other.arrays |= shared
                other.compared |= shared
            run.partners |= {item.trial.key, *(peer.key for peer in metric.peers)}
        run.awaits = set(run.partners)
        for key in run.partners:
            found[key].users.add(item.trial.key)
    return found


def _of_own_model(arrays: Collection[str]) -> set[str]:
    """The arrays that the trial's own model has to be run for. Every run serves metrics of images."""
    return set(arrays) & arrays_from(Source.PASS, Source.DRAWN)
