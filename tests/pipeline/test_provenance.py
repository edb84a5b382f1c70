"""A source digest counts exactly the files that a module depends on, and only what they compute."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import provenance


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "toy"
    (folder / "inner").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "base.py": '"""Words."""\nX = 1  # why\n',
        "inner/__init__.py": "import json\n",
        "inner/a.py": "from toy.base import X\n",
        "inner/b.py": "from .. import base\nfrom . import a\n",
        "inner/c.py": "Y = 2\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "toy"]:
        del sys.modules[name]


def digest(module: str) -> str:
    provenance.source_digest.cache_clear()
    return provenance.source_digest(module)


def test_the_closure_follows_imports(package: Path):
    assert set(provenance.source_files("toy.inner.a")) == {"toy", "toy.inner", "toy.inner.a", "toy.base"}
    assert set(provenance.source_files("toy.inner.b")) == {
        "toy",
        "toy.inner",
        "toy.inner.a",
        "toy.inner.b",
        "toy.base",
    }
    assert set(provenance.source_files("toy.inner.c")) == {"toy", "toy.inner", "toy.inner.c"}


def test_code_counts_words_do_not(package: Path):
    before = {name: digest(f"toy.inner.{name}") for name in "abc"}
    (package / "base.py").write_text('"""Other words."""\n\nX   =  1  # another reason\n')
    assert {name: digest(f"toy.inner.{name}") for name in "abc"} == before
    (package / "base.py").write_text("X = 2\n")
    after = {name: digest(f"toy.inner.{name}") for name in "abc"}
    assert {name: after[name] != before[name] for name in "abc"} == {"a": True, "b": True, "c": False}


def test_a_family_depends_on_its_own_file_and_not_on_another_family():
    files = provenance.source_files("vaecore.families.factor_vae", "vaecore.training")
    assert "vaecore.families.factor_vae" in files
    assert "vaecore.networks" in files
    assert not {"vaecore.families.vae", "vaecore.families.beta_tc_vae"} & set(files)


def test_the_commit_says_when_files_differ_from_it(tmp_path: Path):
    assert provenance.git_commit(tmp_path) is None
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "f").write_text("1")
    subprocess.run(["git", "add", "f"], cwd=tmp_path, check=True)
    subprocess.run([*git, "commit", "-qm", "one"], cwd=tmp_path, check=True)
    commit = provenance.git_commit(tmp_path)
    assert len(commit) == 40
    (tmp_path / "f").write_text("2")
    assert provenance.git_commit(tmp_path) == commit + "+changes"


def test_the_lock_digest_is_of_the_file(tmp_path: Path):
    assert provenance.lock_digest(tmp_path) is None
    (tmp_path / "dvc.lock").write_text("")
    assert provenance.lock_digest(tmp_path).startswith("e3b0c44298fc1c14")  # SHA-256 of nothing
