"""Connect to Ray: join the cluster that is named, or else start Ray on this machine.

The address is ``scheduling.address`` in params.yaml, or else the environment variable RAY_ADDRESS, which
``ray job submit`` sets. So a study that is submitted to a cluster joins it without a change to params.yaml.
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
from pipeline.store.layout import PARAMS_FILE
from pipeline.study.params import Scheduling

__all__ = ["connect"]


@contextmanager
def connect(scheduling: Scheduling) -> Iterator[int]:
    """Connect to Ray for the time of the block; yield the number of workers that can run at a time.

    Raises:
        UserError: no cluster answers at the address, or no node has the CPUs or GPUs for one worker.
    """
    # Workers import this package from the folder in which the driver runs, even if another copy is installed.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    # This will be Ray's default, and Ray prints a warning until it is set. Workers choose their device.
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
            # The workers of a running cluster do not inherit this process's environment.
            runtime_env={"env_vars": {"PYTHONPATH": os.environ["PYTHONPATH"]}} if joined else None,
        )
    except ConnectionError as error:
        raise UserError(
            f"{PARAMS_FILE}: scheduling.address: no Ray cluster answers at {joined!r} ({error}). "
            "Start one (`ray start --head`), correct the address, or use null for this machine."
        ) from None
    try:
        nodes = ray.nodes()
        _check_resources(scheduling, nodes)
        yield _slots(scheduling, nodes)
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise a ConnectionError within seconds if nothing listens; Ray itself would try for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdigit():  # "auto": Ray finds out quickly whether this machine runs a cluster
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError as error:
        raise ConnectionError(str(error)) from None


def _check_resources(scheduling: Scheduling, nodes: list[dict]) -> None:
    for key, resource, requested in (("cpu", "CPU", scheduling.cpu), ("gpu", "GPU", scheduling.gpu)):
        largest = max((node["Resources"].get(resource, 0) for node in nodes if node["Alive"]), default=0)
        if requested > largest:
            cure = "Set it to 0 to train on CPUs." if largest == 0 else f"Request at most {largest:g}."
            raise UserError(
                f"{PARAMS_FILE}: scheduling.{key}: a worker requests {requested:g} {resource}s, "
                f"and the largest node has {largest:g}. {cure}"
            )


def _slots(scheduling: Scheduling, nodes: list[dict]) -> int:
    """Number of workers that all nodes together can run at a time, at least one."""
    shares = {"CPU": scheduling.cpu, "GPU": scheduling.gpu}
    room = [
        min(node["Resources"].get(resource, 0) / share for resource, share in shares.items() if share > 0)
        for node in nodes
        if node["Alive"]
    ]
    return max(1, sum(math.floor(workers + 1e-6) for workers in room))  # 0.3 / 0.1 is a little less than 3
