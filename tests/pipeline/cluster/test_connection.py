"""Requested CPUs and GPUs are compared with those of the nodes before anything waits for them."""

from __future__ import annotations

import pytest

from pipeline.cluster.connection import _check_resources, _slots, connect
from pipeline.cluster.shares import device_of, side_by_side, threads_of
from pipeline.errors import UserError
from pipeline.study.params import Scheduling


def node(**resources: float) -> dict:
    return {"Alive": True, "Resources": resources}


def test_the_largest_node_decides():
    nodes = [node(CPU=2.0), node(CPU=8.0, GPU=1.0), {**node(CPU=64.0, GPU=8.0), "Alive": False}]
    _check_resources(Scheduling(cpu=8, gpu=0.5), nodes)
    with pytest.raises(UserError, match=r"scheduling\.cpu: a worker requests 9 CPUs.*8.*at most 8"):
        _check_resources(Scheduling(cpu=9), nodes)
    with pytest.raises(UserError, match=r"scheduling\.gpu: a worker requests 2 GPUs.*at most 1"):
        _check_resources(Scheduling(cpu=1, gpu=2), nodes)


def test_a_gpu_where_there_is_none_is_an_error_and_not_a_wait(monkeypatch: pytest.MonkeyPatch):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with (
        pytest.raises(UserError, match=r"scheduling\.gpu: .*Set it to 0 to train on CPUs"),
        connect(Scheduling(gpu=1)),
    ):
        pass


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9"])
def test_no_cluster_at_the_address(address: str):
    with (
        pytest.raises(UserError, match=rf"scheduling\.address: no Ray cluster answers at '{address}'"),
        connect(Scheduling(address=address)),
    ):
        pass


def test_shares():
    assert device_of(Scheduling()) == "cpu"
    assert device_of(Scheduling(gpu=0.25)) == "cuda"
    assert [threads_of(Scheduling(cpu=cpu)) for cpu in (0.5, 1, 2)] == [1, 1, 2]


@pytest.mark.parametrize(
    ("cpu", "gpu", "slots"),
    [
        (1, 0, 74),
        (2, 0, 37),
        (0.1, 0, 740),
        (8, 0, 9),
        (1, 1, 9),
        (1, 0.25, 36),
        (4, 0.5, 18),
        (1, 3, 2),
        (100, 0, 1),
    ],
)
def test_room_for_workers_is_what_each_node_has_room_for(cpu: float, gpu: float, slots: int):
    nodes = [
        node(CPU=2.0),
        node(CPU=8.0, GPU=1.0),
        node(CPU=64.0, GPU=8.0),
        {**node(CPU=64.0), "Alive": False},
    ]
    assert _slots(Scheduling(cpu=cpu, gpu=gpu), nodes) == slots


def test_side_by_side():
    assert side_by_side(Scheduling()) == 1
    assert side_by_side(Scheduling(gpu=1)) is None
    assert [side_by_side(Scheduling(gpu=gpu, pack=6)) for gpu in (0, 0.5)] == [6, 6]
