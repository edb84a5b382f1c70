"""A user's clone of this working tree, in an empty folder with its own git history."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

__all__ = ["ONE_CORE", "Clone", "environment"]

ONE_CORE = '{"CPU": 1}'
"""RAY_OVERRIDE_RESOURCES with which Ray has a core, whatever the machine has."""

ROOT = Path(__file__).parents[2]

PARAMS: dict[str, Any] = {
    "study": "story",
    "datasets": {"digits": {"test_fraction": 0.2}},
    "families": {"vae": {}, "beta_vae": {"beta": [4]}},
    "seeds": [0],
    "model": {"network": {"name": "mlp", "hidden": [32]}, "latents": 4, "likelihood": "bernoulli"},
    "training": {
        "steps": 60,
        "batch_size": 16,
        "learning_rate": 0.001,
        "precision": "float32",
        "record_every": 20,
    },
    "untrained": False,
    "overrides": {},
    "scheduling": {"cpu": 1, "retries": 0, "checkpoint_seconds": 0.2},
    "evaluation": {"metrics": ["distortion", "rate", "logistic_accuracy"]},
    "tracking": {"uri": "sqlite:///mlflow.db"},
}


def environment() -> dict[str, str]:
    """That of a shell without an activated environment: the stages have to find the python that runs DVC."""
    own = str(Path(sys.executable).parent)
    folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if folder != own]
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, "PATH": os.pathsep.join(folders), "RAY_OVERRIDE_RESOURCES": ONE_CORE}


class Clone:
    """A user's clone: edits params.yaml, runs the study and reads its results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        for name in files:
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        self.params = json.loads(json.dumps(PARAMS))
        self.environment = environment()
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
        for command in (["git", "init", "-q"], ["git", "add", "-A"], [*git, "commit", "-qm", "clone"]):
            subprocess.run(command, cwd=folder, check=True, capture_output=True)

    @classmethod
    def existing(cls, folder: Path) -> Clone:
        """The clone that is in this folder, with its params.yaml."""
        clone = cls.__new__(cls)
        clone.folder, clone.environment = folder, environment()
        clone.params = yaml.safe_load((folder / "params.yaml").read_text())
        return clone

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self._start(sys.executable, "-m", "dvc", "repro", *arguments)

    def _start(self, *command: str) -> subprocess.Popen[str]:
        (self.folder / "params.yaml").write_text(yaml.safe_dump(self.params, sort_keys=False))
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def repro(self, *arguments: str, succeeds: bool = True) -> str:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=240)
        assert (process.returncode == 0) == succeeds, output
        return output

    def stage(self, name: str, succeeds: bool = True) -> str:
        """One stage as DVC starts it, without DVC."""
        process = self.start_stage(name)
        output, _ = process.communicate(timeout=240)
        assert (process.returncode == 0) == succeeds, output
        return output

    def start_stage(self, name: str) -> subprocess.Popen[str]:
        return self._start(sys.executable, "-m", f"pipeline.{name}")

    def copied(self, folder: Path) -> Clone:
        """This clone with all that it has computed, in another folder; large files are hard links."""
        linked = (
            "data",
            "mlartifacts",
            "runs",
            "scores",
            ".dvc/cache",
        )  # each file there is replaced, never changed

        def copy(source: str, target: str) -> None:
            name = Path(source).relative_to(self.folder).as_posix()
            (os.link if name.startswith(linked) else shutil.copy2)(source, target)

        shutil.copytree(self.folder, folder, copy_function=copy, dirs_exist_ok=True)
        return Clone.existing(folder)

    def untrained(self) -> Clone:
        """This clone, with nothing but its data sets prepared."""
        for name in ("runs", "scores", "mlartifacts"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / "mlflow.db").unlink(missing_ok=True)
        return self

    def runs(self) -> tuple[str, dict[str, Run]]:
        """The MLflow experiment's name, and its runs of trials, by trial key."""
        link = Path(tempfile.mkdtemp(dir=self.folder.parent), "clone")  # its own path may be no address
        link.symlink_to(self.folder)
        client = MlflowClient(f"sqlite:///{link / 'mlflow.db'}")
        (experiment,) = [found for found in client.search_experiments() if found.name != "Default"]
        runs = client.search_runs([experiment.experiment_id])
        trials = [run for run in runs if "trial_key" in run.data.tags]
        assert len(trials) == len({run.data.tags["trial_key"] for run in trials})
        return experiment.name, {run.data.tags["trial_key"]: run for run in trials}

    def results(self) -> dict[str, dict[str, Any]]:
        """Trial key -> its result, with the family and the time at which the file was written."""
        found = {}
        for path in self.folder.glob("runs/*/*/result.json"):
            config = json.loads((path.parent / "config.json").read_text())
            found[path.parent.name] = {
                **json.loads(path.read_text()),
                "family": config["family"],
                "written": path.stat().st_mtime_ns,
            }
        return found
