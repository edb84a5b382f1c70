"""The profile of a step: the groups of operations, and the trace that the command writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import step_profile
from benchmarks.step_profile import CPU_GROUPS, CUDA_GROUPS, group_of


@pytest.mark.parametrize(
    ("name", "group"),
    [
        (
            "aten::convolution_backward < _ConvolutionBackward < autograd::engine::evaluate",
            "convolutions, backward",
        ),
        (
            "aten::mkldnn_convolution < aten::_convolution < aten::conv2d < _Convolution",
            "convolutions, forward",
        ),
        ("aten::copy_ < aten::_to_copy < aten::to < aten::conv2d", "casts and copies"),
        ("aten::mm < AddmmBackward0 < autograd::engine::evaluate_function", "dense layers, backward"),
        ("aten::addmm < aten::linear", "dense layers, forward"),
        ("aten::_fused_adam_ < Optimizer.step#Adam.step", "optimizer"),
        ("aten::index_select < aten::embedding", "batch and random numbers"),
        ("autograd::engine::evaluate_function: ReluBackward0", "autograd's bookkeeping"),
        ("aten::clamp_min < aten::relu", "elementwise and losses"),
        ("aten::threshold_backward < ReluBackward0 < autograd::engine", "elementwise and losses"),
    ],
)
def test_the_group_of_an_operation(name: str, group: str):
    assert group_of(name, CPU_GROUPS) == group


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("sm80_xmma_dgrad_implicit_gemm_bf16", "convolutions, backward"),
        ("sm90_xmma_fprop_implicit_gemm_bf16", "convolutions, forward"),
        ("nvjet_tst_128x64", "dense layers"),
        ("multi_tensor_apply_kernel<FusedAdam>", "optimizer"),
        ("vectorized_elementwise_kernel<relu>", "elementwise and losses"),
    ],
)
def test_the_group_of_a_kernel(name: str, group: str):
    assert group_of(name, CUDA_GROUPS) == group


def test_the_command_prints_a_table_and_writes_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = step_profile.main(["--device", "cpu", "--steps", "2", "--out", str(tmp_path)])
    assert json.loads(path.read_text())["traceEvents"]
    said = capsys.readouterr().out
    assert "with the profiler" in said
    for group in ("convolutions, forward", "convolutions, backward", "optimizer", "Python and waiting"):
        assert group in said
