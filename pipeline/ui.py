"""``make ui``: run MLflow's user interface on this machine, for the store that params.yaml names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pipeline.errors import UserError, user_errors
from pipeline.study.params import load
from pipeline.tracking import address

__all__ = ["main"]

PORT = "5000"


def main() -> None:
    uri = address.resolve(load().tracking.uri, Path.cwd())
    if uri.startswith(("http://", "https://")):
        print(f"The study's runs are on a server, which has its own user interface: {uri}")
        return
    path = address.sqlite_path(uri, Path.cwd())
    if path is not None and not path.exists():
        raise UserError(
            f"{address.KEY}: there is no store at {path} yet. `dvc repro` (or `make run`) creates it."
        )
    port = os.environ.get("PORT", PORT)
    print(f"MLflow UI: http://localhost:{port} (stop with Ctrl-C)", flush=True)
    os.execv(
        sys.executable,
        [
            sys.executable,
            "-m",
            "mlflow",
            "ui",
            "--backend-store-uri",
            uri,
            "--host",
            "127.0.0.1",
            "--port",
            port,
        ],
    )


if __name__ == "__main__":
    with user_errors("ui"):
        main()
