"""A source digest counts exactly the files that a module depends on, and only what they compute."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.study import provenance


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
    assert set(provenance.source_files("toy.inner.a")) == {"toy.inner", "toy.inner.a", "toy.base"}
    assert set(provenance.source_files("toy.inner.b")) == {
        "toy",
        "toy.inner",
        "toy.inner.a",
        "toy.inner.b",
        "toy.base",
    }
    assert set(provenance.source_files("toy.inner.c")) == {"toy.inner", "toy.inner.c"}


def test_code_counts_words_do_not(package: Path):
    before = {name: digest(f"toy.inner.{name}") for name in "abc"}
    (package / "base.py").write_text('"""Other words."""\n\nX   =  1  # another reason\n')
    assert {name: digest(f"toy.inner.{name}") for name in "abc"} == before
    (package / "base.py").write_text("X = 2\n")
    after = {name: digest(f"toy.inner.{name}") for name in "abc"}
    assert {name: after[name] != before[name] for name in "abc"} == {"a": True, "b": True, "c": False}


def test_what_a_metric_says_to_readers_does_not_count(package: Path):
    (package / "base.py").write_text('TITLE = "A score"\nBLIND_TO = ("much",)\nRANGE = (0, 1)\n')
    before = digest("toy.base")
    (package / "base.py").write_text(
        'TITLE = "The score"\nBLIND_TO = "this"\nCOST = "O(N)"\nRANGE = (0, 1)\n'
    )
    assert digest("toy.base") == before
    (package / "base.py").write_text('TITLE = "A score"\nBLIND_TO = ("much",)\nRANGE = (0, 2)\n')
    assert digest("toy.base") != before


def code(package: Path, text: str) -> str:
    (package / "base.py").write_text(text)
    provenance.code_digest.cache_clear()
    return provenance.code_digest("toy.base")


def test_a_code_digest_is_of_the_modules_themselves(package: Path):
    a, b = provenance.code_digest("toy.inner.a"), provenance.code_digest("toy.inner.a", "toy.base")
    assert len({a, b, provenance.code_digest("toy.base")}) == 3
    assert b == provenance.code_digest("toy.base", "toy.inner.a")
    (package / "base.py").write_text("X = 2\n")
    provenance.code_digest.cache_clear()
    assert provenance.code_digest("toy.inner.a") == a, "it does not follow imports"
    assert provenance.code_digest("toy.inner.a", "toy.base") != b
    with pytest.raises(ModuleNotFoundError, match=r"toy\.other"):
        provenance.code_digest("toy.other")


PLAIN = """
class Member:
    options = {"beta": Option("weight", symbol="b", default=1.0, low=0)}
    def first(self): return 1
    def second(self): return 2
def function(): return 3
"""


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("class Member", "import os\nfrom typing import TYPE_CHECKING\nclass Member", True),
        ("class Member", "if TYPE_CHECKING:\n    from toy import base\nclass Member", True),
        ("class Member", "if TYPE_CHECKING:\n    X = 1\nelse:\n    X = 2\nclass Member", False),
        ("class Member", "if sys.platform:\n    X = 1\nclass Member", False),
        ('"weight", symbol="b"', '"weight of the rate", symbol="β", unit="nats"', True),
        ('"weight", symbol="b", default=1.0', '"weight", "b", "nats", default=1.0', True),
        ("default=1.0", "default=2.0", False),
        ('symbol="b", default=1.0', '"b", "", 2.0', False),
        ("low=0", "low=1", False),
        ('"beta"', '"gamma"', False),
        ("return 1", "return 2", False),
        (
            "    def first(self): return 1\n    def second(self): return 2\n",
            "    def second(self): return 2\n    def first(self): return 1\n",
            True,
        ),
        ("class Member", "def function(): return 3\nclass Member", False),
        ("    def first", "    X = 1\n    def first", False),
    ],
)
def test_what_counts_of_a_file(package: Path, before: str, after: str, same: bool):
    assert before in PLAIN
    assert (code(package, PLAIN) == code(package, PLAIN.replace(before, after))) == same


def test_the_closure_of_a_family_has_no_other_family():
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
