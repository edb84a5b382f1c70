"""``make ui``: MLflow's user interface on this machine, against the store that params.yaml names."""

from __future__ import annotations

import os
import sys

from pipeline.errors import UserError, user_errors
from pipeline.params import load

__all__ = ["main"]

PORT = "5000"


def main() -> None:
    uri = load().tracking.uri
    if uri.startswith(("http://", "https://")):
        print(f"The study's runs are on a server that has its own user interface: {uri}")
        return
    if uri.startswith("sqlite:///") and not os.path.exists(uri.removeprefix("sqlite:///")):
        raise UserError(
            f"params.yaml: tracking.uri: there is no store at {uri} yet. `dvc repro` (or `make run`) makes it."
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
