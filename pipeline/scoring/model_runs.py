"""The models that an evaluation runs, each once, for its own metrics and for those of other trials that take it as a peer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.scoring.score_cache import Work
from pipeline.study.metric_inputs import PEER_OF, origin

__all__ = ["Step", "steps"]


@dataclass
class Step:
    """A trial whose model is to be run: for its own metrics, or as a peer of others."""

    work: Work
    arrays: set[str] = field(default_factory=set)
    """What its model is run for."""
    compared: set[str] = field(default_factory=set)
    """Those of them that metrics of several seeds take."""
    partners: set[str] = field(default_factory=set)
    """Keys of the trials that its metrics of several seeds take: its own and its peers'."""
    awaits: set[str] = field(default_factory=set)
    """Those of them whose models were not run yet."""
    users: set[str] = field(default_factory=set)
    """Keys of the trials that take this one so, until their metrics are started."""
    references: dict[str, Any] = field(default_factory=dict)
    """Array -> where Ray has it, for as long as a task may be started that takes it."""
    facts: dict[str, Any] = field(default_factory=dict)
    unscored: set[str] = field(default_factory=set)
    """Metrics that have no answer yet."""
    unready: str = ""
    """Why its metrics of several seeds cannot be computed."""
    seconds: float = 0.0

    def several(self) -> list[str]:
        """Its metrics of several seeds that have no answer yet."""
        return [name for name, asked in self.work.wanted.items() if asked.peers and name in self.unscored]


def steps(work: Sequence[Work]) -> dict[str, Step]:
    """By trial key: the work in its order, and beside each trial those that are run for its sake alone."""
    own = {item.trial.key: item for item in work}
    found: dict[str, Step] = {}
    for item in work:
        step = found.setdefault(item.trial.key, Step(item))
        step.unscored = set(item.wanted)
        for asked in item.wanted.values():
            step.arrays |= origin(asked.takes)
            if not asked.peers:
                continue
            step.compared |= origin(asked.takes)
            for peer in asked.peers:
                other = found.setdefault(
                    peer.key, Step(own.get(peer.key) or Work(peer, wanted={}, draw=False))
                )
                taken = {PEER_OF[argument] for argument in asked.takes & PEER_OF.keys()}
                other.arrays |= taken
                other.compared |= taken
            step.partners |= {item.trial.key, *(peer.key for peer in asked.peers)}
        step.awaits = set(step.partners)
        for key in step.partners:
            found[key].users.add(item.trial.key)
    return found
