"""The study's way through the house: params.yaml -> data/raw -> data/ready -> runs -> scores -> reports.

The only package that knows Ray, MLflow, DVC and the file system. Each DVC stage is a module that is run with
``python -m pipeline.<stage>`` from the root of the repository.

Nobody's usage statistics are sent by anything we run: DVC's are off in ``.dvc/config``, Ray's and MLflow's here,
before either is imported.
"""

import os

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
