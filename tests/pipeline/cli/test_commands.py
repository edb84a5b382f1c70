"""The console command: each of its actions as a user runs it, in this process where that is not the point."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.cli.main import COMMANDS, main
from pipeline.store.layout import Store
from pipeline.study.catalogue import KINDS, names
from tests.pipeline.clone import PARAMS

ROOT = Path(__file__).parents[3]


@pytest.fixture
def betabench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """``betabench("list", "metrics", folder=..., status=...)`` -> what it prints."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, folder: Path = ROOT, status: int = 0) -> str:
        monkeypatch.chdir(folder)
        # The code of the folder is this one's: a study's folder in a test has links to it.
        monkeypatch.setattr("pipeline.cli.main.enter", lambda root, given: os.chdir(root))
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(arguments)
        printed = capsys.readouterr()
        assert (end.value.code or 0) == status, printed
        return printed.out + printed.err

    return run


@pytest.fixture
def study(digits_store: Store) -> Store:
    """A clone, as far as the command line looks at it, with digits prepared and nothing trained."""
    root = digits_store.root
    shutil.copy(ROOT / "dvc.yaml", root)
    (root / "pipeline").symlink_to(ROOT / "pipeline")
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    return digits_store


def test_help_names_every_command(betabench):
    text = betabench("--help")
    assert all(f"  {name} " in text for name in COMMANDS)
    for name in COMMANDS:
        assert betabench(name, "--help").startswith(f"usage: betabench {name}")


@pytest.mark.parametrize("kind", KINDS)
def test_list_has_a_line_for_every_name(betabench, kind: str):
    printed = [line.split()[0] for line in betabench("list", kind).splitlines() if line[:1].strip()]
    assert printed == names(kind)


def test_list_without_a_kind_has_all(betabench):
    text = betabench("list")
    assert all(name in text for kind in KINDS for name in names(kind))


def test_show_prints_definition_options_ranges_and_papers(betabench):
    text = betabench("show", "factor_vae")
    for part in (
        "vaecore/families/factor_vae.py",
        "critic_width",
        "a whole number ≥ 1",
        "1000",
        "1802.05983",
    ):
        assert part in text
    assert yaml.safe_load(text.rpartition("in params.yaml")[2])["families"]["factor_vae"]


def test_show_of_a_name_that_nothing_has(betabench):
    assert "nothing is called 'factorvae'. Close to it: factor_vae" in betabench(
        "show", "factorvae", status=1
    )


def test_an_unknown_argument_is_an_error(betabench):
    assert "unknown arguments: --verbose" in betabench("list", "metrics", "--verbose", status=2)


def test_outside_of_a_repository(betabench, tmp_path: Path):
    assert "is not in a betabench repository" in betabench("plan", folder=tmp_path, status=1)


def test_plan_counts_what_is_to_do(betabench, study: Store):
    text = betabench("plan", folder=study.root)
    assert "digits    prepared, 300 images" in text
    assert "scores   6 to compute, for 2 models" in text
    assert "not known: no earlier trial in this folder was on this machine" in text
    assert not (study.root / "runs").exists()


def test_plan_of_a_fresh_clone(betabench, study: Store):
    shutil.rmtree(study.root / "data")
    text = betabench("plan", folder=study.root)
    assert "digits    to be fetched and prepared" in text
    assert "scores   6 to compute, for 2 models" in text


def test_run_passes_its_arguments_to_dvc_and_finds_mistakes_first(betabench, study: Store, monkeypatch):
    called = []

    def record(command, **options):
        called.append((command, options["env"]["PATH"].split(os.pathsep)[0]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("pipeline.cli.run.subprocess.run", record)
    betabench("run", "--dry", "tune", folder=study.root)
    dvc, here = [sys.executable, "-m", "dvc"], str(Path(sys.executable).parent)
    no_git = [*dvc, "config", "--local", "core.no_scm", "true"]
    assert called == [(no_git, here), ([*dvc, "repro", "--dry", "tune"], here)]
    (study.root / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "seeds": []}))
    assert "params.yaml: seeds" in betabench("run", folder=study.root, status=1)
    assert len(called) == 2


def test_doctor_says_what_a_bug_report_needs(betabench, study: Store):
    text = betabench("doctor", folder=study.root)
    for part in ("torch 2.", "cores for this process", "GB free", "study 'story'", "nothing wrong was found"):
        assert part in text


def test_doctor_marks_what_is_wrong(betabench, study: Store):
    wrong = {**PARAMS, "seeds": [], "scheduling": {"address": "127.0.0.1:1"}}
    (study.root / "params.yaml").write_text(yaml.safe_dump(wrong))
    text = betabench("doctor", folder=study.root, status=1)
    assert "! params.yaml" in text
    assert "to mend, marked with !" in text


@pytest.mark.parametrize("file", ["README.md", "vaecore/families/nobody.py", "vaecore/training.py"])
def test_check_of_a_file_that_is_no_member(betabench, file: str):
    text = betabench("check", file, status=1)
    assert ("there is no such file" if "nobody" in file else "Put it into the folder of its kind") in text


def test_check_runs_the_tests_of_a_member(betabench):
    betabench("check", "vaecore/schedules/linear.py")


def test_from_another_copy_the_code_of_the_folder_is_run(tmp_path: Path):
    """The installed command in a second clone: what it lists is what that clone has."""
    for name in ("pipeline", "metrics", "vaecore"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    own = tmp_path / "vaecore" / "schedules" / "stairs.py"
    shutil.copy(ROOT / "vaecore" / "schedules" / "linear.py", own)
    program = "import pipeline.cli.main as cli; cli.main(['list'])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path / "metrics",
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "stairs" in done.stdout, done.stderr
