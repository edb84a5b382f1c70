"""The stages of a study: params.yaml -> data/raw -> data/ready -> runs -> scores -> reports.

Only this package uses Ray, MLflow, DVC and the file system. Each DVC stage is a module, which runs with
``python -m pipeline.<stage>`` from the root of the repository.

No tool that a stage uses sends usage statistics. Those of DVC are switched off in ``.dvc/config``, those of
Ray and MLflow here, before either is imported.
"""

import os

from pipeline import environment

environment.ensure()
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
