"""A user's clone of this working tree, in an empty folder with a git history of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

__all__ = ["Clone"]

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


class Clone:
    """A user's clone: edit params.yaml, run, look at what is there."""

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
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        self.environment.pop("PYTHONPATH", None)
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
        for command in (["git", "init", "-q"], ["git", "add", "-A"], [*git, "commit", "-qm", "clone"]):
            subprocess.run(command, cwd=folder, check=True, capture_output=True)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        (self.folder / "params.yaml").write_text(yaml.safe_dump(self.params, sort_keys=False))
        return subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro", *arguments],
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

    def runs(self) -> tuple[str, dict[str, Run]]:
        """The MLflow experiment's name, and its runs that are trials, by key."""
        client = MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")
        (experiment,) = [found for found in client.search_experiments() if found.name != "Default"]
        runs = client.search_runs([experiment.experiment_id])
        trials = [run for run in runs if "trial_key" in run.data.tags]
        assert len(trials) == len({run.data.tags["trial_key"] for run in trials})
        return experiment.name, {run.data.tags["trial_key"]: run for run in trials}

    def results(self) -> dict[str, dict[str, Any]]:
        """Trial key -> its result, with the family and when the file was written."""
        found = {}
        for path in self.folder.glob("runs/*/*/result.json"):
            config = json.loads((path.parent / "config.json").read_text())
            found[path.parent.name] = {
                **json.loads(path.read_text()),
                "family": config["family"],
                "written": path.stat().st_mtime_ns,
            }
        return found
