"""Ray: joined where a cluster is named, started on this machine where not.

``ray job submit`` sets RAY_ADDRESS, so a study submitted to a cluster joins it without a change to params.yaml.
"""

from __future__ import annotations

import logging
import math
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError
from pipeline.study.params import Scheduling

__all__ = ["connect"]


@contextmanager
def connect(scheduling: Scheduling) -> Iterator[int]:
    """A Ray connection for the time of the block, checked to have what one worker process (a trial, or a pack of them) asks for.

    Gives the number of workers for which there is room at a time.

    Raises:
        UserError: no cluster at the address, or no node with so many CPUs or GPUs.
    """
    # The workers import this package from where the driver runs, whatever else is installed.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    # Ray's coming default, which it asks for by a warning: a trial says itself what device it uses.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    joined = scheduling.address or os.environ.get("RAY_ADDRESS")
    try:
        if joined:
            _check_answers(joined)
        ray.init(
            address=scheduling.address,
            logging_level=logging.ERROR,
            log_to_driver=False,
            include_dashboard=None if joined else False,
            # The workers of a cluster that runs already do not have this process's environment.
            runtime_env={"env_vars": {"PYTHONPATH": os.environ["PYTHONPATH"]}} if joined else None,
        )
    except ConnectionError as error:
        raise UserError(
            f"params.yaml: scheduling.address: no Ray cluster answers at {joined!r} ({error}). "
            "Start one (`ray start --head`), correct the address, or use null for this machine."
        ) from None
    try:
        nodes = ray.nodes()
        _check_resources(scheduling, nodes)
        yield _slots(scheduling, nodes)
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise a ConnectionError within seconds where nothing listens; Ray itself would try for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if (
        not colon or not port.isdigit()
    ):  # "auto": Ray looks for a cluster on this machine, and says quickly if there is none
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError as error:
        raise ConnectionError(str(error)) from None


def _check_resources(scheduling: Scheduling, nodes: list[dict]) -> None:
    for key, resource, asked in (("cpu", "CPU", scheduling.cpu), ("gpu", "GPU", scheduling.gpu)):
        largest = max((node["Resources"].get(resource, 0) for node in nodes if node["Alive"]), default=0)
        if asked > largest:
            cure = "Set it to 0 to train on CPUs." if largest == 0 else f"Ask for at most {largest:g}."
            raise UserError(
                f"params.yaml: scheduling.{key}: a trial asks for {asked:g} {resource}s, "
                f"the largest node has {largest:g}. {cure}"
            )


def _slots(scheduling: Scheduling, nodes: list[dict]) -> int:
    """Workers that all nodes run at a time, at least one."""
    asked = {"CPU": scheduling.cpu, "GPU": scheduling.gpu}
    room = [
        min(node["Resources"].get(resource, 0) / share for resource, share in asked.items() if share > 0)
        for node in nodes
        if node["Alive"]
    ]
    return max(1, sum(math.floor(workers + 1e-6) for workers in room))  # 1 / 0.1 is a little less than 10
