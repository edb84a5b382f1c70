"""No number of any member moves unnoticed; ``tests/vaecore/golden.py`` says what to do if one does."""

from __future__ import annotations

import pytest
import torch

from tests.vaecore import golden
from vaecore import critics, revision


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("folder", "name"), golden.cases())
def test_numbers_are_as_they_were_recorded(folder: str, name: str):
    todo = golden.verdict(folder, name)
    assert todo is None, todo


def test_every_recorded_case_exists():
    known = {(folder, name) for folder in (*golden.FOLDERS, "engine") for name in golden.recorded(folder)}
    assert known == set(golden.cases())


def test_a_changed_constant_of_the_engine_is_found_and_the_cure_named(monkeypatch: pytest.MonkeyPatch):
    assert golden.verdict("families", "factor_vae") is None
    monkeypatch.setattr(critics, "SLOPE", 0.25)
    todo = golden.verdict("families", "factor_vae")
    assert todo is not None
    assert (
        f"raise REVISION in vaecore/revision.py from {revision.REVISION} to {revision.REVISION + 1}" in todo
    )
    assert golden.verdict("families", "vae") is None, "it has no critic"


def test_numbers_that_moved_are_not_recorded_while_the_revision_stands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path
):
    monkeypatch.setattr(golden, "cases", lambda: [("families", "factor_vae")])
    known = golden.recorded("families")
    monkeypatch.setattr(golden, "HERE", tmp_path)
    assert golden.record() == 0, "a new case is recorded"
    assert golden.recorded("families")["factor_vae"]["code"] == known["factor_vae"]["code"]
    before = (tmp_path / "families.json").read_text()
    monkeypatch.setattr(critics, "SLOPE", 0.25)
    assert golden.record() == 1
    assert "raise REVISION" in capsys.readouterr().err
    assert (tmp_path / "families.json").read_text() == before
    monkeypatch.setattr(golden, "REVISION", revision.REVISION + 1)
    assert golden.record() == 0
    assert (tmp_path / "families.json").read_text() != before


def test_a_change_of_the_members_own_file_has_its_own_message(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(golden, "code", lambda folder, name: "another")
    monkeypatch.setattr(critics, "SLOPE", 0.25)
    todo = golden.verdict("families", "factor_vae")
    assert todo is not None
    assert "Its own file has changed" in todo
    assert "REVISION" not in todo
