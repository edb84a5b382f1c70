"""A captured step relies on this: every update is the same operations on the same tensors, without a host
sync.

On a CPU, an update that is recorded once and replayed trains as the loop does. CUDA's own recording needs a
GPU: its tests are skipped without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from benchmarks import capture
from benchmarks.small_trainings import EVERY, begin
from vaecore.nuisances import names as nuisances
from vaecore.training import Training, train

# operations that read a number back from the device, or bring one to it
SYNCING = {"_local_scalar_dense", "is_nonzero", "nonzero", "equal", "lift_fresh", "item"}

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: capture cannot be tried")


class Recorded(TorchDispatchMode):
    """The operations, their arguments, and the addresses of tensors that no earlier operation made."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, list[Any]]] = []
        self.inputs: set[int] = set()
        self.made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace != "profiler":
            self.calls.append(
                (str(func), [self._seen(each) for each in tree_flatten((args, kwargs or {}))[0]])
            )
        result = func(*args, **(kwargs or {}))
        outputs = (each for each in tree_flatten(result)[0] if isinstance(each, torch.Tensor))
        self.made |= {each.untyped_storage().data_ptr() for each in outputs} - self.inputs
        return result

    def _seen(self, each: Any) -> Any:
        if not isinstance(each, torch.Tensor):
            return each
        where = each.untyped_storage().data_ptr()
        if where in self.made:
            return "made here"
        self.inputs.add(where)
        return where, each.storage_offset(), each.shape, each.dtype


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", EVERY)
def test_every_update_is_the_same_operations_on_the_same_tensors(name, precision):
    updates_are_alike(begin(name, precision=precision))


@pytest.mark.parametrize("nuisance", nuisances())
def test_a_nuisance_is_the_same_operations_on_the_same_tensors(nuisance):
    updates_are_alike(begin("vae", nuisance=nuisance, precision="float32"))


def updates_are_alike(training: Training) -> None:
    training.open_row()
    training.advance()  # the first makes the optimizer's moments and the sums
    updates = []
    for _ in range(2):
        with Recorded() as recorded:
            training.advance()
        updates.append(recorded.calls)
    one, other = updates
    assert len(one) > 50
    assert one == other
    syncing = {call.split(".")[1] for call, _ in one} & SYNCING
    assert not syncing, f"{syncing} waits for the device, or brings a number from the host"


class ReplayedOnCPU(TorchDispatchMode):
    """A CUDA graph on a CPU: records the operations of one call, and repeats them on the same memory."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.tape: list[tuple[Any, Any, Any, list[torch.Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.namespace != "profiler":
            inputs = {memory(each) for each in tensors((args, kwargs))}
            fresh = [each.data for each in tensors(result) if memory(each) not in inputs]
            bare = tree_map(
                lambda each: each.data if isinstance(each, torch.Tensor) else each, (args, kwargs)
            )
            self.tape.append((func, *bare, fresh))
        return result

    def __call__(self, step: Callable[[], None]) -> None:
        self.calls += 1
        if self.calls < 3:
            step()
        elif self.calls == 3:
            with self:
                step()
        else:
            for func, args, kwargs, fresh in self.tape:
                with torch.no_grad():
                    again = tensors(func(*args, **(kwargs or {})))
                for mine, its in zip(fresh, again[len(again) - len(fresh) :], strict=True):
                    mine.copy_(its)

    @contextmanager
    def on_stream(self) -> Iterator[None]:
        yield


def tensors(tree: Any) -> list[torch.Tensor]:
    return [each for each in tree_flatten(tree)[0] if isinstance(each, torch.Tensor)]


def memory(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", EVERY)
def test_an_update_recorded_once_trains_as_the_loop_does(name, precision):
    plain, replayed = (begin(name, precision=precision, steps=20) for _ in range(2))
    replayed._replayed = ReplayedOnCPU()
    expected = list(train(plain))
    assert list(train(replayed)) == expected
    assert replayed._replayed.calls == 20
    a, b = (each.state_dict() for each in (replayed, plain))
    assert a["optimizer"].pop("param_groups") == b["optimizer"].pop("param_groups")
    torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("nuisance", nuisances())
def test_every_replay_draws_new_nuisances(nuisance):
    plain, replayed = (begin("vae", nuisance=nuisance, precision="float32") for _ in range(2))
    replayed._replayed = ReplayedOnCPU()
    assert list(train(replayed)) == list(train(plain))


@needs_gpu
@pytest.mark.parametrize("name", EVERY)
def test_replayed_is_run(name):
    assert not capture.replayed(name)


@needs_gpu
def test_packed_on_a_gpu_is_alone():
    assert not capture.packed(EVERY)


@needs_gpu
@pytest.mark.parametrize("name", EVERY)
def test_a_resumed_captured_run_is_the_run(name):
    assert not capture.resumed(name)


@pytest.mark.parametrize("name", ["averaging", "control_vae"])
def test_what_moves_without_a_gradient_moves(name):
    training = begin(name)
    before = {key: value.clone() for key, value in training.family.named_buffers()}
    list(train(training))
    assert any(not torch.equal(value, before[key]) for key, value in training.family.named_buffers())
