"""tracking.uri: what it means below the root of a repository, and whether it can work, before MLflow tries.

MLflow retries a database that cannot be opened, and a server that does not answer, for minutes. What is wrong with a
SQLite file is found here in a moment; a server has ``ANSWER_SECONDS``.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests

from pipeline.errors import UserError

__all__ = ["ANSWER_SECONDS", "KEY", "check", "impatient", "readable", "resolve", "sqlite_path"]

KEY = "params.yaml: tracking.uri"
ANSWER_SECONDS = 5.0
"""For a connection to a server, and again for its first answer."""

HERE = "sqlite:///mlflow.db keeps the runs in a file beside params.yaml"
DATABASES = ("postgresql", "mysql", "mssql")


def readable(uri: str) -> str:
    """The URI without a password."""
    return re.sub(r"//[^@/]*@", "//***@", uri)


def sqlite_path(uri: str, root: Path) -> Path | None:
    """The file of a SQLite URI; None for another kind of URI."""
    if not uri.startswith("sqlite:"):
        return None
    path = uri.removeprefix("sqlite:///").partition("?")[0]
    if not uri.startswith("sqlite:///") or path in ("", ":memory:"):
        raise UserError(f"{KEY}: {uri!r} names no file. {HERE}; sqlite:////folder/mlflow.db anywhere.")
    return root / path


def resolve(uri: str, root: Path) -> str:
    """The URI with a relative SQLite path made absolute, below ``root``.

    Raises:
        UserError: it is of a kind that MLflow does not store runs in.
    """
    path = sqlite_path(uri, root)
    if path is not None:
        query = uri.partition("?")[2]
        return f"sqlite:///{path.absolute()}" + (f"?{query}" if query else "")
    parts = urlsplit(uri)
    if parts.scheme.partition("+")[0] in (*DATABASES, "databricks", "databricks-uc") or uri == "databricks":
        return uri
    if parts.scheme in ("http", "https"):
        if not parts.hostname:
            raise UserError(f"{KEY}: {readable(uri)!r} names no host. http://localhost:5000 is an example.")
        return uri
    raise UserError(
        f"{KEY}: {readable(uri)!r} is no store that MLflow keeps runs in. {HERE}; "
        "http://host:port is an MLflow server, postgresql:// or mysql:// a database."
    )


def check(uri: str) -> None:
    """Try a resolved URI, quickly.

    Raises:
        UserError: the file cannot be opened or written, is no database, or is locked; the server does not answer.
    """
    path = sqlite_path(uri, Path("/"))
    if path is not None:
        _check_file(path)
    elif uri.startswith(("http://", "https://")):
        _check_server(uri)


def _check_file(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=ANSWER_SECONDS)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("PRAGMA user_version")
            connection.rollback()
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        cure = f"Correct the path; {HERE}."
        if "locked" in str(error):
            cure = "Another process is writing to it; run again when it has ended."
        elif "not a database" in str(error):
            cure = "Move that file away, or name another."
        raise UserError(f"{KEY}: the MLflow store {path} cannot be written: {error}. {cure}") from None


def _check_server(uri: str) -> None:
    try:
        # Any answer will do: whether it is MLflow's, MLflow's client finds out.
        requests.get(uri, timeout=ANSWER_SECONDS, stream=True).close()
    except requests.RequestException as error:
        reason = "nothing listens there"
        if isinstance(error, requests.Timeout):
            reason = f"no answer within {ANSWER_SECONDS:g} s"
        elif "resolve" in str(error):
            reason = "there is no host of that name"
        elif isinstance(error, requests.exceptions.SSLError):
            reason = f"its certificate is not accepted ({error})"
        port = urlsplit(uri).port
        start = "mlflow server" + (f" --port {port}" if port else "")
        raise UserError(
            f"{KEY}: the MLflow server {readable(uri)} cannot be reached: {reason}. "
            f"Start it (`{start}`), correct the address, or keep the runs without a server: {HERE}. "
            "Nothing that was trained is lost; `dvc repro` logs it."
        ) from None


@contextmanager
def impatient() -> Iterator[None]:
    """Let MLflow's client give up at once instead of after minutes."""
    wanted = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(int(ANSWER_SECONDS)),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
