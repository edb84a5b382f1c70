"""The whole job in a temporary clone: a real ``dvc repro``, a real Ray, a real MLflow store.

A clone is this working tree's files in an empty folder with a git history. Each step of the story is
what a user does, and what must not happen again is seen not to happen.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from tests.pipeline.clone import Clone
from tests.pipeline.stages import run_stage

FRAGILE = '''"""It fails while BROKEN is beside params.yaml, once if ONCE is, and dies once if KILL is."""
import os
import signal
from pathlib import Path

from vaecore.families.vae import VAE


class Fragile(VAE):
    reference = False

    def terms(self, batch, hyper, noise):
        root = Path(__file__).parents[2]
        if (root / "ONCE").exists() and list(root.glob("runs/*/*/checkpoint.pt")):
            (root / "ONCE").unlink()
            raise RuntimeError("broken once")
        if (root / "KILL").exists() and len(list(root.glob("runs/*/*/checkpoint.pt"))) >= 2:
            (root / "KILL").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        if (root / "BROKEN").exists():
            raise RuntimeError("broken on purpose")
        return super().terms(batch, hyper, noise)
'''


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which `dvc repro` has run once, for all tests of a session: four trials. Use copies."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "finished b?c#d%20é"  # a path with all that breaks addresses
    with FileLock(f"{shared}/finished.lock"):
        if not (folder / "output").exists():
            clone = Clone(folder)
            clone.params["seeds"] = [0, 1]
            del clone.environment["RAY_OVERRIDE_RESOURCES"]  # all cores: trials run side by side
            (folder / "output").write_text(clone.repro())
    return Clone.existing(folder)


@pytest.fixture
def clone(finished: Clone, tmp_path: Path) -> Clone:
    """A copy of the finished clone, below a path as odd."""
    return finished.copied(tmp_path / "a b?c#d%20é")


@pytest.fixture
def prepared(clone: Clone) -> Clone:
    """A clone in which data are prepared, and nothing is trained; one seed."""
    clone.params["seeds"] = [0]
    return clone.untrained()


def test_a_fresh_clone_ends_with_scores_a_report_and_runs(finished: Clone):
    output = (finished.folder / "output").read_text()
    assert "4 trials: 0 finished earlier, 4 to train" in output
    assert all(f"{number}/4 finished: digits " in output for number in range(1, 5))  # each when it ends
    results = finished.results()
    assert [result["status"] for result in results.values()] == ["finished"] * 4
    assert {result["together"] for result in results.values()} == {1}
    scores = pd.read_csv(finished.folder / "reports" / "scores.csv")
    assert set(scores["key"]) == set(results)
    assert (finished.folder / "reports" / "index.html").stat().st_size > 10_000
    assert (finished.folder / "mlflow.db").exists()
    # Prepared data are on the disk once: what DVC keeps is the same file.
    assert os.path.samefile(
        finished.folder / "data" / "ready" / "digits" / "images.npy", cached_images(finished)
    )


def cached_images(clone: Clone) -> Path:
    """DVC's copy of the prepared images."""
    size = (clone.folder / "data" / "ready" / "digits" / "images.npy").stat().st_size
    (path,) = (file for file in clone.folder.glob(".dvc/cache/files/md5/*/*") if file.stat().st_size == size)
    return path


@pytest.mark.timeout(600)
def test_nothing_is_computed_twice(clone: Clone):
    first = clone.results()
    output = clone.repro()
    assert "4 trials: 4 finished earlier, 0 to train" in output
    assert "Stage 'evaluate' didn't change" in output
    assert clone.results() == first

    # One β and one seed more, another family's code, the MLflow store lost: only the new trials and those of
    # the family are trained and scored. The other runs and their scores are logged again.
    clone.params["families"]["beta_vae"]["beta"] = [4, 8]
    clone.params["seeds"] = [0, 1, 2]
    path = clone.folder / "vaecore" / "families" / "vae.py"
    path.write_text(path.read_text() + "\nCHANGED = True\n")
    (clone.folder / "mlflow.db").unlink()
    output = clone.repro()
    assert "9 trials: 2 finished earlier, 7 to train" in output
    assert "9 trained models: 2 scored earlier, 7 to score" in output
    second = clone.results()
    assert {key: second[key] for key in first} == first
    new = [second[key]["family"] for key in second.keys() - first.keys()]
    assert (new.count("vae"), new.count("beta_vae")) == (3, 4)
    studied = {key for key in second if key not in first or first[key]["family"] == "beta_vae"}
    assert set(pd.read_csv(clone.folder / "reports" / "scores.csv")["key"]) == studied
    experiment, runs = clone.runs()
    assert experiment == "story"
    assert set(runs) == studied
    assert all("score/rate" in run.data.metrics for run in runs.values())


@pytest.mark.timeout(600)
def test_another_clone_gives_the_same_scores_however_trials_are_packed(finished: Clone, clone: Clone):
    other = clone.untrained()
    other.params["scheduling"] |= {"pack": 2}
    output = other.stage("tune")
    for name in ("evaluate", "report"):
        assert run_stage(name, other.folder).returncode == 0
    assert "2 packs of up to 2 trials" in output
    assert all(f"{number}/4 finished: digits " in output for number in range(1, 5))
    assert {result["together"] for result in other.results().values()} == {2}
    for each in (finished, other):
        _, runs = each.runs()
        assert set(runs) == set(each.results())
        assert {run.info.status for run in runs.values()} == {"FINISHED"}
        assert all("training/loss" in run.data.metrics for run in runs.values())
    for name in ("scores.csv", "metrics.json", "rate_distortion.csv", "learning_curves.csv"):
        assert (finished.folder / "reports" / name).read_bytes() == (
            other.folder / "reports" / name
        ).read_bytes(), name


def test_a_data_set_that_does_not_exist(tmp_path: Path):
    clone = Clone(tmp_path)
    clone.params["datasets"] = {"mnits": {}}
    output = clone.repro(succeeds=False)
    assert "datasets.mnits: there is no 'mnits'. Known: arrays, " in output
    assert "digits, dsprites" in output
    assert "Traceback" not in output


def test_a_downloaded_archive_has_no_git_history_and_needs_none(tmp_path: Path):
    clone = Clone(tmp_path / "clone")
    archive = ["git", "archive", "--format=zip", "-o", str(tmp_path / "house.zip"), "HEAD"]
    subprocess.run(archive, cwd=clone.folder, check=True)
    clone.folder = tmp_path / "downloaded"
    shutil.unpack_archive(tmp_path / "house.zip", clone.folder)
    clone.repro("preprocess@digits")
    assert (clone.folder / "data" / "ready" / "digits" / "meta.json").exists()


@pytest.mark.timeout(600)
def test_a_pack_whose_worker_is_killed_goes_on_in_smaller_packs(prepared: Clone):
    (prepared.folder / "vaecore" / "families" / "fragile.py").write_text(FRAGILE)
    (prepared.folder / "KILL").write_text("")
    prepared.params["families"] = {"fragile": {}}
    prepared.params["seeds"] = [0, 1, 2, 3]
    prepared.params["training"]["steps"] = 500
    prepared.params["scheduling"] |= {"retries": 1, "checkpoint_seconds": 0.01, "pack": 4}
    output = prepared.stage("tune")
    # The worker dies when the third begins, after the first rows of two; the fourth has not started.
    assert output.count("trying again: digits fragile seed=") == 3
    assert "digits: at most 1 of a pack of 4 train side by side: the device failed with more" in output
    results = prepared.results().values()
    assert [result["status"] for result in results] == ["finished"] * 4
    assert sorted(result["interruptions"] for result in results) == [0, 0, 1, 1]
    assert sorted(result["together"] for result in results) == [1, 1, 1, 1]
    assert not list(prepared.folder.glob("runs/*/*/failure.json"))


@pytest.mark.timeout(600)
def test_a_killed_study_goes_on_from_its_checkpoints(prepared: Clone):
    prepared.params["training"]["steps"] = 100_000
    prepared.params["families"] = {"vae": {}}
    process = prepared.start_stage("tune")
    deadline = time.monotonic() + 120
    while not list(prepared.folder.glob("runs/digits/*/checkpoint.pt")):
        assert time.monotonic() < deadline, "no checkpoint was written"
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not prepared.results()

    # Where it ends is in test_trial.py, bit for bit; here it is seen to go on, and is too long to wait for.
    process = prepared.start_stage("tune")
    deadline = time.monotonic() + 120
    log = next(prepared.folder.glob("runs/digits/*/trial.log"))
    while "resumed at step" not in log.read_text():
        assert time.monotonic() < deadline, "the trial was not resumed"
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    resumed = int(log.read_text().split("resumed at step ")[1].split()[0])
    assert resumed > 0
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert not prepared.results()


@pytest.mark.timeout(600)
def test_a_failed_trial_fails_no_other_and_is_tried_again(clone: Clone):
    (clone.folder / "vaecore" / "families" / "fragile.py").write_text(FRAGILE)
    (clone.folder / "BROKEN").write_text("")
    clone.params["families"] = {"vae": {}, "fragile": {}}
    clone.params["seeds"] = [0]
    output = clone.stage("tune")
    assert "2 trials: 1 finished earlier, 1 to train" in output
    assert "failed: digits fragile seed=0: RuntimeError: broken on purpose" in output
    done = clone.results()
    # The next run retries it, and only it. It fails once more, and goes on from its last checkpoint.
    (clone.folder / "BROKEN").rename(clone.folder / "ONCE")
    clone.params["scheduling"] |= {"retries": 1, "checkpoint_seconds": 0.001}
    output = clone.stage("tune")
    assert "2 trials: 1 finished earlier, 1 to train" in output
    assert "trying again: digits fragile seed=0: RuntimeError: broken once" in output
    results = clone.results()
    assert {key: results[key] for key in done} == done
    (new,) = results.keys() - done.keys()
    assert (results[new]["family"], results[new]["interruptions"]) == ("fragile", 1)
