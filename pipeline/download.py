"""Bringing a file, whole and verified, or not at all.

A download is written to a hidden ``.part`` file beside its place; it takes that place only when its checksum is right.
What was interrupted goes on where it stopped, if the server can (HTTP range requests); what may pass (no connection, a
server's 5xx, 408 or 429, a connection that ends early) is tried again after 1, 2, 4, ... seconds.

A checksum is written ``algorithm:hexadecimal``:

    sha256, md5    of the file
    git            of git's blob, SHA-1("blob <length>\\0" + content): what ``git ls-tree -r <commit>`` shows, and so
                   what a git repository that publishes no other checksum guarantees of its files
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from pipeline.errors import UserError

__all__ = ["CHECKSUM_PATTERN", "checksum", "download", "local_path"]

CHECKSUM_PATTERN = r"^(sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}|git:[0-9a-f]{40})$"

ATTEMPTS = 5
FIRST_PAUSE = 1.0
"""Seconds before the second attempt; doubles each time."""
LONGEST_PAUSE = 60.0
TIMEOUT = (10, 30)
"""Seconds to connect, and between two pieces of data."""
PIECE = 1 << 18


class _MayPassError(Exception):
    """A failure that another attempt may not meet."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


def checksum(path: Path, algorithm: str) -> str:
    """``algorithm:hexadecimal`` of a file; see the module for the algorithms."""
    if algorithm == "git":
        digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    else:
        digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return f"{algorithm}:{digest.hexdigest()}"


def holds(path: Path, expected: str) -> bool:
    """Whether the file is there and has this checksum."""
    return path.is_file() and checksum(path, expected.partition(":")[0]) == expected


def local_path(url: str) -> Path | None:
    """The file that a path or a ``file://`` URL names; None for an ``http(s)://`` URL.

    Raises:
        ValueError: another kind of URL.
    """
    parts = urlsplit(url)
    if parts.scheme in ("http", "https") and parts.netloc:
        return None
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme and "://" in url:
        raise ValueError(f"{parts.scheme}:// is not known here; a path, file://, http:// or https://")
    return Path(url)


def download(url: str, target: Path, expected: str) -> bool:
    """Make ``target`` the file at ``url`` with this checksum. False where it was there already.

    Args:
        url: ``http(s)://``, ``file://`` or a path.
        expected: ``sha256:...``, ``md5:...`` or ``git:...``.

    Raises:
        UserError: no such file, a server that stays unreachable, or another file than expected.
    """
    if holds(target, expected):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    local = local_path(url)
    resumed = local is None and part.exists()
    if local is None:
        _fetch(url, part)
    else:
        _copy(local, part)
    found = checksum(part, expected.partition(":")[0])
    if found != expected and resumed and local is None:
        # What lay there may be the beginning of another file: once more from nothing.
        part.unlink()
        _fetch(url, part)
        found = checksum(part, expected.partition(":")[0])
    if found != expected:
        part.unlink()
        raise UserError(
            f"{url} is not the file that is expected.\n  expected {expected}\n  found    {found}\n"
            "Nothing was kept. If this file is the one you mean, write its checksum next to its url in params.yaml; "
            "if not, get it from another place and give that as url (a path will do)."
        )
    os.replace(part, target)
    return True


def _copy(source: Path, part: Path) -> None:
    if not source.is_file():
        raise UserError(
            f"{source.absolute()}: there is no such file. Correct the url in params.yaml; a relative path starts "
            "at the root of the repository."
        )
    with source.open("rb") as reading, part.open("wb") as writing:
        while piece := reading.read(PIECE):
            writing.write(piece)


def _fetch(url: str, part: Path) -> None:
    """Bring ``part`` to its full length, whatever it holds so far."""
    reason: _MayPassError | None = None
    with _bar(url) as progress:
        for attempt in range(ATTEMPTS):
            if reason is not None:
                pause = reason.pause or FIRST_PAUSE * 2 ** (attempt - 1)
                progress.console.print(
                    f"{reason}; attempt {attempt + 1} of {ATTEMPTS} in {min(pause, LONGEST_PAUSE):.0f} s",
                    highlight=False,
                )
                time.sleep(min(pause, LONGEST_PAUSE))
            try:
                _attempt(url, part, progress)
                return
            except _MayPassError as error:
                reason = error
            except requests.RequestException as error:
                reason = _MayPassError(_in_words(error, url))
    raise UserError(
        f"{url} could not be had in {ATTEMPTS} attempts.\n  last failure: {reason}\n"
        "Try again later (what has come so far is kept and is gone on with), or bring the file by other means and "
        "give its path as url in params.yaml."
    )


def _in_words(error: requests.RequestException, url: str) -> str:
    """One line of what the HTTP library says in many."""
    host = urlsplit(url).netloc
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return f"the connection to {host} ended early"
    if isinstance(error, requests.Timeout):
        return f"{host} did not answer within {max(TIMEOUT)} s"
    cause = getattr(error.args[0], "reason", error) if error.args else error
    return f"no answer from {host}: {str(cause).rpartition(': ')[2]}"


def _attempt(url: str, part: Path, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        status = answer.status_code
        if status == 416 or (status == 206 and not _goes_on_at(answer, have)):
            part.unlink()
            raise _MayPassError(f"{url} cannot go on at byte {have}")
        if status >= 500 or status in (408, 429):
            after = answer.headers.get("Retry-After", "")
            raise _MayPassError(
                f"{url} answered {status} {answer.reason}", float(after) if after.isdigit() else None
            )
        if status not in (200, 206):
            raise UserError(
                f"{url} answered {status} {answer.reason}. Correct the url in params.yaml, or bring the file by "
                "other means and give its path as url."
            )
        begin = have if status == 206 else 0
        length = answer.headers.get("Content-Length", "")
        total = begin + int(length) if length.isdigit() else None
        task = progress.add_task("", total=total, completed=begin)
        try:
            with part.open("ab" if begin else "wb") as file:
                _pour(answer, file, progress, task)
        finally:
            progress.remove_task(task)
    if total is not None and part.stat().st_size != total:
        raise _MayPassError(f"{url} ended after {part.stat().st_size:,} of {total:,} bytes")


def _goes_on_at(answer: requests.Response, byte: int) -> bool:
    return answer.headers.get("Content-Range", "").startswith(f"bytes {byte}-")


def _pour(answer: requests.Response, file: BinaryIO, progress: Progress, task: TaskID) -> None:
    for piece in answer.iter_content(PIECE):
        file.write(piece)
        progress.advance(task, len(piece))


@contextmanager
def _bar(url: str) -> Iterator[Progress]:
    """A live line on a terminal; elsewhere a line when it starts."""
    console = Console(stderr=True, soft_wrap=True)
    if not console.is_terminal:
        console.print(f"downloading {url}", highlight=False)
    columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress
