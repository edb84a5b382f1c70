"""The address of the MLflow store, ``tracking.uri``: resolve it, and check that the store can be used.

MLflow itself retries for minutes if a database cannot be opened or a server does not answer. The checks here
find a bad SQLite file at once, and a silent server within ``ANSWER_SECONDS``.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import requests

from pipeline.errors import UserError
from pipeline.store.layout import PARAMS_FILE

__all__ = ["ANSWER_SECONDS", "KEY", "check", "impatient", "readable", "resolve", "sqlite_path"]

KEY = f"{PARAMS_FILE}: tracking.uri"
ANSWER_SECONDS = 5.0
"""Longest wait for a connection to a server, and again for its first answer."""

HERE = f"sqlite:///mlflow.db keeps the runs in a file beside {PARAMS_FILE}"
DATABASES = ("postgresql", "mysql", "mssql")


def readable(uri: str) -> str:
    """The URI without its user and password, for messages; of a quoted SQLite file its path."""
    plain = uri.removesuffix("?uri=true").replace("sqlite:///file:", "sqlite:///")
    return re.sub(r"//[^@/]*@", "//***@", uri if plain == uri else unquote(unquote(plain)))


def sqlite_path(uri: str, root: Path) -> Path | None:
    """The file of a SQLite URI; None for another kind of URI.

    Raises:
        UserError: it names no file.
    """
    if not uri.startswith("sqlite:"):
        return None
    path = uri.removeprefix("sqlite:///").partition("?")[0]
    if not uri.startswith("sqlite:///") or path in ("", ":memory:"):
        raise UserError(f"{KEY}: {uri!r} names no file. {HERE}; sqlite:////folder/mlflow.db anywhere.")
    if path.startswith("file:"):
        path = unquote(unquote(path.removeprefix("file:")))
    return root / path


def resolve(uri: str, root: Path) -> str:
    """The URI with a relative SQLite path made absolute, below ``root``.

    Raises:
        UserError: MLflow has no such kind of store, or the URI names no file or host.
    """
    path = sqlite_path(uri, root)
    if path is not None:
        query = uri.partition("?")[2]
        file = str(path.absolute())
        if set(file) & set("?#%"):  # SQLAlchemy unquotes the address once, and SQLite its file name
            file, query = f"file:{quote(quote(file))}", "uri=true"
        return f"sqlite:///{file}" + (f"?{query}" if query else "")
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
    """Check quickly whether the store at a resolved URI can be used.

    Raises:
        UserError: the file cannot be written, is not a database or is locked, or the server does not answer.
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
            cure = "Another process is writing to it. Run this again when that process has ended."
        elif "not a database" in str(error):
            cure = "Move that file away, or name another."
        raise UserError(f"{KEY}: the MLflow store {path} cannot be written: {error}. {cure}") from None


def _check_server(uri: str) -> None:
    try:
        # Any answer will do: MLflow's client reports a server that is not MLflow's.
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
    """Let MLflow's client give up at once within the block, and not after minutes."""
    limits = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(int(ANSWER_SECONDS)),
    }
    before = {name: os.environ.get(name) for name in limits}
    os.environ.update(limits)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
