"""Bringing one file from one address into a ``.part`` file, from where an earlier attempt stopped.

    local path       copied
    http(s)://       requested from the first missing byte on (HTTP range requests); tried again after 1, 2,
                     4, ... seconds if a failure may be temporary (no connection, a server's 5xx, 408 or 429,
                     a connection that ends early)

If the size is known, a disk without room is noticed before it is full; otherwise the error says that it is
full.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import requests
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from pipeline.errors import UserError

__all__ = ["PIECE", "UnavailableError", "local_path", "require_room", "room_for", "say", "transfer"]

ATTEMPTS = 5
FIRST_PAUSE = 1.0
"""Seconds before the second attempt; doubles each time."""
LONGEST_PAUSE = 60.0
TIMEOUT = (10, 30)
"""Seconds to connect, and between two pieces of data."""
PIECE = 1 << 18


class _TemporaryError(Exception):
    """A failure that another attempt may avoid."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


class UnavailableError(UserError):
    """A file that cannot be downloaded from an address, or from any of several."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(reason + cure)
        self.reason = reason


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
        raise ValueError(f"{parts.scheme}:// is not supported; use a path, file://, http:// or https://")
    return Path(url)


def transfer(url: str, part: Path, size: int | None) -> None:
    """Complete ``part`` from the file at ``url``, whatever it holds so far.

    Args:
        size: bytes, if known.

    Raises:
        UnavailableError: the address does not provide it.
        UserError: there is no room for it.
    """
    local = local_path(url)
    if local is None:
        _fetch(url, part, size)
    else:
        _copy(local, part)


def _copy(source: Path, part: Path) -> None:
    """Complete ``part`` from a local file, whatever it holds so far."""
    if not source.is_file():
        raise UnavailableError(
            f"{source.absolute()}: there is no such file.",
            " Correct the url in params.yaml; a relative path starts at the root of the repository.",
        )
    have, size = _length(part), source.stat().st_size
    begin = have if have <= size else 0
    require_room(part, size)
    with source.open("rb") as reading, part.open("ab" if begin else "wb") as writing:
        reading.seek(begin)
        while piece := reading.read(PIECE):
            writing.write(piece)


def _fetch(url: str, part: Path, size: int | None) -> None:
    """Complete ``part`` from a server, whatever it holds so far."""
    reason: _TemporaryError | None = None
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
                _attempt(url, part, size, progress)
                return
            except _TemporaryError as error:
                reason = error
            except requests.RequestException as error:
                reason = _TemporaryError(_in_words(error, url))
    raise UnavailableError(
        f"{url} could not be downloaded in {ATTEMPTS} attempts.\n  last failure: {reason}",
        "\nTry again later (the download resumes where it stopped), or get the file by other means and "
        "give its path as url in params.yaml.",
    )


def _in_words(error: requests.RequestException, url: str) -> str:
    """The HTTP library's many lines as one."""
    host = urlsplit(url).netloc
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return f"the connection to {host} ended early"
    if isinstance(error, requests.Timeout):
        return f"{host} did not answer within {max(TIMEOUT)} s"
    cause = getattr(error.args[0], "reason", error) if error.args else error
    return f"no answer from {host}: {str(cause).rpartition(': ')[2].removesuffix('.')}"


def _attempt(url: str, part: Path, size: int | None, progress: Progress) -> None:
    have = _length(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        status = answer.status_code
        if status == 416 and answer.headers.get("Content-Range") == f"bytes */{have}":
            return  # it was complete
        if status == 416 or (status == 206 and not _goes_on_at(answer, have)):
            part.unlink()
            raise _TemporaryError(f"{url} cannot resume at byte {have}")
        if status >= 500 or status in (408, 429):
            after = answer.headers.get("Retry-After", "")
            raise _TemporaryError(
                f"{url} answered {status} {answer.reason}", float(after) if after.isdigit() else None
            )
        if status not in (200, 206):
            raise UnavailableError(
                f"{url} answered {status} {answer.reason}.",
                " Correct the url in params.yaml, or get the file by other means and give its path as url.",
            )
        begin = have if status == 206 else 0
        length = answer.headers.get("Content-Length", "")
        total = begin + int(length) if length.isdigit() else size
        if total is not None:
            require_room(part, total)
        task = progress.add_task("", total=total, completed=begin)
        try:
            with part.open("ab" if begin else "wb") as file:
                _pour(answer, file, progress, task)
        finally:
            progress.remove_task(task)
    if total is not None and _length(part) < total:
        raise _TemporaryError(f"{url} ended after {_length(part):,} of {total:,} bytes")


def _goes_on_at(answer: requests.Response, byte: int) -> bool:
    return answer.headers.get("Content-Range", "").startswith(f"bytes {byte}-")


def _pour(answer: requests.Response, file: BinaryIO, progress: Progress, task: TaskID) -> None:
    for piece in answer.iter_content(PIECE):
        file.write(piece)
        progress.advance(task, len(piece))


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def require_room(part: Path, size: int) -> None:
    """Raise UserError if the disk cannot hold the rest of the file."""
    disk = shutil.disk_usage(part.parent)
    missing = size - _length(part)
    if disk.total and disk.free < missing:  # some network file systems report 0 bytes in all
        raise UserError(_no_room(part.parent, f"{decimal(missing)} are missing", disk.free))


@contextmanager
def room_for(target: Path) -> Iterator[None]:
    """Raise UserError if the disk becomes full inside the block."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(target.parent).free if target.parent.is_dir() else 0
        raise UserError(
            _no_room(target.parent, f"{target.name} does not fit ({error.strerror})", free)
        ) from error


def _no_room(folder: Path, what: str, free: int) -> str:
    return (
        f"{folder.absolute()}: {what}, and {decimal(free)} are free there. Make room, or make this folder a "
        "link to one on a larger disk; the download resumes where it stopped."
    )


def say(line: str) -> None:
    """Print a line for the user on standard error."""
    Console(stderr=True, soft_wrap=True).print(line, highlight=False, markup=False)


@contextmanager
def _bar(url: str) -> Iterator[Progress]:
    """A progress bar on a terminal; elsewhere one line at the start."""
    console = Console(stderr=True, soft_wrap=True)
    if not console.is_terminal:
        console.print(f"downloading {url}", highlight=False)
    columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress
