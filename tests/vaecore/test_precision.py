"""``auto`` depends on the device and the network; a chosen precision is kept."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vaecore import precision
from vaecore.critics import critic
from vaecore.networks import make
from vaecore.precision import resolve_precision


@pytest.mark.parametrize("chosen", ["float32", "bfloat16"])
def test_a_chosen_precision_is_kept(chosen):
    assert resolve_precision(chosen, "cpu") == chosen
    assert resolve_precision(chosen, "cpu", nn.Linear(2, 2)) == chosen


@pytest.mark.parametrize(("native", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_depends_on_the_processor(monkeypatch, native, expected):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    assert resolve_precision("auto", "cpu") == expected
    assert resolve_precision("auto", "cpu", critic(10)) == expected
    assert resolve_precision("auto", "cpu", make("conv").encoder((1, 8, 8), 10)) == expected


def test_auto_keeps_small_networks_in_float32(monkeypatch):
    monkeypatch.setattr(precision, "_native", lambda device: True)
    assert resolve_precision("auto", "cpu", make("mlp").encoder((1, 8, 8), 10)) == "float32"


def test_auto_is_float32_on_unknown_devices(monkeypatch):
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert resolve_precision("auto", "cpu") == "float32"
    assert resolve_precision("auto", "meta") == "float32"


def test_an_unknown_precision_is_an_error_that_lists_them():
    with pytest.raises(ValueError, match="auto, float32 or bfloat16"):
        resolve_precision("half", "cpu")  # type: ignore[arg-type]
