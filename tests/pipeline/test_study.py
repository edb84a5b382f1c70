"""The whole job in a temporary clone: a real ``dvc repro``, a real Ray, a real MLflow store.

The clone is this working tree's files in an empty folder with a git history of its own. Each step of the story is
what a user does, and what must not happen again is seen not to happen.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.pipeline.clone import Clone

FRAGILE = '''"""A family of the user's own, that fails while a file named BROKEN lies beside params.yaml; ONCE: one time only.

KILL: its process is killed, once.
"""
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


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


@pytest.mark.timeout(600)
def test_nothing_is_computed_twice(clone: Clone):
    output = clone.repro()
    assert "2 trials: 0 finished earlier, 2 to train" in output
    first = clone.results()
    assert [result["status"] for result in first.values()] == ["finished"] * 2
    scores = pd.read_csv(clone.folder / "reports" / "scores.csv")
    assert set(scores["key"]) == set(first)
    assert (clone.folder / "reports" / "index.html").stat().st_size > 10_000
    assert (clone.folder / "mlflow.db").exists()
    # Prepared data are on the disk once: what DVC keeps is the same file.
    assert (clone.folder / "data" / "ready" / "digits" / "images.npy").stat().st_nlink == 2

    # Again: nothing to do, and nothing is done.
    output = clone.repro()
    assert "2 trials: 2 finished earlier, 0 to train" in output
    assert "Stage 'evaluate' didn't change" in output
    assert clone.results() == first

    # One β, one seed more: only the new trials.
    clone.params["families"]["beta_vae"]["beta"] = [4, 8]
    clone.params["seeds"] = [0, 1]
    output = clone.repro()
    assert "6 trials: 2 finished earlier, 4 to train" in output
    second = clone.results()
    assert {key: second[key] for key in first} == first
    assert set(pd.read_csv(clone.folder / "reports" / "scores.csv")["key"]) == set(second)

    # The MLflow store lost: the runs and their scores are logged again, without training or scoring.
    (clone.folder / "mlflow.db").unlink()
    output = clone.repro()
    assert "6 trials: 6 finished earlier, 0 to train" in output
    assert clone.results() == second
    experiment, runs = clone.runs()
    assert experiment == "story"
    assert set(runs) == set(second)
    assert all("score/rate" in run.data.metrics for run in runs.values())

    # Another family's code: only its trials.
    path = clone.folder / "vaecore" / "families" / "vae.py"
    path.write_text(path.read_text() + "\nCHANGED = True\n")
    output = clone.repro("tune")
    assert "6 trials: 4 finished earlier, 2 to train" in output
    third = clone.results()
    assert {key: third[key] for key in second} == second
    assert {result["family"] for key, result in third.items() if key not in second} == {"vae"}


def test_a_data_set_that_does_not_exist(clone: Clone):
    clone.params["datasets"] = {"mnits": {}}
    output = clone.repro(succeeds=False)
    assert "datasets.mnits: there is no 'mnits'. Known: arrays, " in output
    assert "digits, dsprites" in output
    assert "Traceback" not in output


@pytest.mark.timeout(600)
def test_two_clones_give_the_same_scores_however_trials_are_packed(tmp_path: Path):
    clones = []
    for name, scheduling in {"one": {}, "two": {"pack": 3, "cpu": os.cpu_count()}}.items():
        (tmp_path / name).mkdir()
        clones.append(Clone(tmp_path / name))
        clones[-1].params["seeds"] = [0, 1, 2]
        clones[-1].params["scheduling"] |= scheduling
        output = clones[-1].repro()
        assert ("2 packs of up to 3 trials" in output) == (name == "two")
        assert all(f"{number}/6 finished: digits " in output for number in range(1, 7))  # each when it ends
    assert {result["together"] for result in clones[0].results().values()} == {1}
    assert {result["together"] for result in clones[1].results().values()} == {3}
    for clone in clones:
        _, runs = clone.runs()
        assert set(runs) == set(clone.results())
        assert {run.info.status for run in runs.values()} == {"FINISHED"}
        assert all("training/loss" in run.data.metrics for run in runs.values())
    for name in ("scores.csv", "metrics.json", "rate_distortion.csv", "learning_curves.csv"):
        one, two = ((clone.folder / "reports" / name).read_bytes() for clone in clones)
        assert one == two, name


@pytest.mark.timeout(600)
def test_a_trial_that_fails_is_tried_again_from_its_checkpoint(clone: Clone):
    (clone.folder / "vaecore" / "families" / "fragile.py").write_text(FRAGILE)
    (clone.folder / "ONCE").write_text("")
    clone.params["families"] = {"fragile": {}}
    clone.params["training"]["steps"] = 2000
    clone.params["scheduling"] |= {"retries": 1, "checkpoint_seconds": 0.01}
    output = clone.repro("tune")
    assert "trying again: digits fragile seed=0: RuntimeError: broken once" in output
    (result,) = clone.results().values()
    assert result["status"] == "finished"
    assert result["interruptions"] == 1


@pytest.mark.timeout(600)
def test_a_pack_whose_worker_is_killed_goes_on_in_smaller_packs(clone: Clone):
    (clone.folder / "vaecore" / "families" / "fragile.py").write_text(FRAGILE)
    (clone.folder / "KILL").write_text("")
    clone.params["families"] = {"fragile": {}}
    clone.params["seeds"] = [0, 1, 2, 3]
    clone.params["training"]["steps"] = 500
    clone.params["scheduling"] |= {"retries": 1, "checkpoint_seconds": 0.01, "pack": 4}
    clone.environment["RAY_OVERRIDE_RESOURCES"] = '{"CPU": 1}'  # one worker, and so one pack
    output = clone.repro("tune")
    # The worker dies when the third begins, after the first rows of two; the fourth waits, and has not failed.
    assert output.count("trying again: digits fragile seed=") == 3
    assert "digits: at most 1 of a pack of 4 train side by side: the device failed with more" in output
    results = clone.results().values()
    assert [result["status"] for result in results] == ["finished"] * 4
    assert sorted(result["interruptions"] for result in results) == [0, 0, 1, 1]
    assert sorted(result["together"] for result in results) == [1, 1, 1, 1]
    assert not list(clone.folder.glob("runs/*/*/failure.json"))


@pytest.mark.timeout(600)
def test_a_killed_study_goes_on_from_its_checkpoints(clone: Clone):
    clone.params["training"]["steps"] = 100_000
    clone.params["families"] = {"vae": {}}
    clone.repro("preprocess@digits")
    process = clone.start("tune")
    deadline = time.monotonic() + 120
    while not list(clone.folder.glob("runs/digits/*/checkpoint.pt")):
        assert time.monotonic() < deadline, "no checkpoint was written"
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not clone.results()

    # Where it ends is in test_trial.py, bit for bit; here it is seen to go on, and is too long to wait for.
    process = clone.start("tune")
    deadline = time.monotonic() + 120
    log = next(clone.folder.glob("runs/digits/*/trial.log"))
    while "resumed at step" not in log.read_text():
        assert time.monotonic() < deadline, "the trial was not resumed"
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    resumed = int(log.read_text().split("resumed at step ")[1].split()[0])
    assert resumed > 0
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert not clone.results()


@pytest.mark.timeout(600)
def test_one_failed_trial_does_not_fail_the_study(clone: Clone):
    (clone.folder / "vaecore" / "families" / "fragile.py").write_text(FRAGILE)
    (clone.folder / "BROKEN").write_text("")
    clone.params["families"] = {"vae": {}, "fragile": {}}
    output = clone.repro()
    assert "failed: digits fragile seed=0: RuntimeError: broken on purpose" in output
    assert {result["family"] for result in clone.results().values()} == {"vae"}
    report = (clone.folder / "reports" / "index.html").read_text()
    assert "broken on purpose" in report
    done = clone.results()

    # Nothing in git or in params changed: the next run retries it all the same, and only it.
    (clone.folder / "BROKEN").unlink()
    output = clone.repro()
    assert "2 trials: 1 finished earlier, 1 to train" in output
    assert {result["family"] for result in clone.results().values()} == {"vae", "fragile"}
    assert {key: clone.results()[key] for key in done} == done
    assert "broken on purpose" not in (clone.folder / "reports" / "index.html").read_text()


@pytest.mark.timeout(600)
def test_if_every_trial_fails_the_stage_fails(clone: Clone):
    (clone.folder / "vaecore" / "families" / "fragile.py").write_text(FRAGILE)
    (clone.folder / "BROKEN").write_text("")
    clone.params["families"] = {"fragile": {}}
    output = clone.repro("tune", succeeds=False)
    assert "every trial failed" in output
    assert "Traceback" not in output
