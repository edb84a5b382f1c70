"""Downloading files: each arrives whole and verified, or not at all.

A download is written to a hidden ``.part`` file beside its target (``pipeline.data.files.transfer``) and
moved to the target only if its checksum is right. The addresses are tried in turn: the user's mirror, the
official address, then its mirrors. If several processes want the same file, one downloads it and the others
wait.

A checksum is written ``algorithm:hexadecimal``:

    sha256, md5    of the file
    git            of git's blob, SHA-1("blob <length>\\0" + content), as ``git ls-tree -r <commit>`` shows:
                   what a git repository guarantees of a file that has no other published checksum

If no checksum of a file is known, the SHA-256 of the first download is kept beside it (``NAME.sha256``) and
is its checksum from then on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout
from rich.filesize import decimal

from pipeline.data.files.transfer import (
    PIECE,
    UnavailableError,
    local_path,
    require_room,
    room_for,
    say,
    transfer,
)
from pipeline.errors import UserError

__all__ = [
    "CHECKSUM_PATTERN",
    "DOWNLOADS",
    "RemoteFile",
    "checksum",
    "download",
    "fetch_files",
    "holds",
    "local_path",
    "pinned",
]

CHECKSUM_PATTERN = r"^(sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}|git:[0-9a-f]{40})$"

DOWNLOADS = "BETABENCH_DOWNLOADS"
"""The environment variable that names a mirror if params.yaml does not."""


@dataclass(frozen=True)
class RemoteFile:
    """A published file and what identifies it."""

    name: str
    """The official name, which is also its name here and in every mirror."""
    urls: tuple[str, ...]
    """The official address, then others of the same file."""
    checksum: str | None
    """``sha256:...``, ``md5:...`` or ``git:...``; None if none is known."""
    size: int | None = None
    """Bytes; None if the size is not known in advance."""


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


def holds(path: Path, expected: str | None) -> bool:
    """Whether the file exists and has this checksum; False for None."""
    return expected is not None and path.is_file() and checksum(path, expected.partition(":")[0]) == expected


def pinned(target: Path) -> str | None:
    """The checksum that was kept at the first download; None if there is none."""
    try:
        return target.with_name(f"{target.name}.sha256").read_text().strip()
    except FileNotFoundError:
        return None


def download(urls: str | Sequence[str], target: Path, expected: str | None, size: int | None = None) -> bool:
    """Make ``target`` the file with this checksum, from the first address that has it.

    Args:
        urls: one address or several: ``http(s)://``, ``file://`` or a path.
        expected: ``sha256:...``, ``md5:...`` or ``git:...``; None accepts the first download and keeps its
            checksum.
        size: bytes, if known: a full disk is then noticed before the download starts.

    Returns:
        False if the file was complete before, True if it was downloaded.

    Raises:
        UserError: no address has the file (it is missing, unreachable or another file), or the disk is too
            full.
    """
    if holds(target, expected or pinned(target)):
        return False
    addresses = (urls,) if isinstance(urls, str) else tuple(urls)
    with room_for(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            expected = expected or pinned(target)
            if holds(target, expected):
                return False
            _from_first(addresses, target, expected, size)
            if expected is None:
                _pin(target)
    return True


def fetch_files(files: Sequence[RemoteFile], folder: Path, mirror: str | None) -> None:
    """Bring all files into ``folder``. A file that is there with the right checksum is left alone.

    Args:
        mirror: a folder, or an ``http(s)://`` address, that has some or all of the files under their official
            names; it is tried before the official addresses. None uses ``$BETABENCH_DOWNLOADS``, if that is
            set.

    Raises:
        UserError: a file cannot be downloaded; the message lists every address with its failure, and what to
            do.
    """
    mirror = mirror or os.environ.get(DOWNLOADS) or None
    for index, file in enumerate(files):
        target = folder / file.name
        if _is_there(file, folder):
            continue
        try:
            download((*_mirrored(file.name, mirror), *file.urls), target, file.checksum, file.size)
        except UnavailableError as error:
            missing = [other for other in files[index + 1 :] if not _is_there(other, folder)]
            missing = [other for other in missing if not any(map(local_path, _mirrored(other.name, mirror)))]
            raise UserError(f"{error.reason}\n{_by_hand([file, *missing])}") from None


def _is_there(file: RemoteFile, folder: Path) -> bool:
    return holds(folder / file.name, file.checksum or pinned(folder / file.name))


def _pin(target: Path) -> None:
    """Keep the checksum of a file that had no known one."""
    found = checksum(target, "sha256")
    target.with_name(f"{target.name}.sha256").write_text(found + "\n")
    say(
        f"{target.name}: no checksum of this file is known. The downloaded file has {found}; it is kept "
        "beside the file, and another file will be refused. To require this file elsewhere too, write it as "
        "checksum in params.yaml."
    )


def _mirrored(name: str, mirror: str | None) -> tuple[str, ...]:
    """The file's address in the mirror; empty if there is no mirror, or it is a folder without the file."""
    if mirror is None:
        return ()
    try:
        folder = local_path(mirror)
    except ValueError as error:
        raise UserError(f"mirror: {mirror}: {error}") from None
    if folder is None:
        return (f"{mirror.rstrip('/')}/{quote(name)}",)
    folder = folder.expanduser()
    if not folder.is_dir():
        raise UserError(
            f"mirror: {folder.absolute()} is not a folder. Name a folder of downloaded files (or an http(s) "
            f"address) as `mirror` in params.yaml or in the environment variable {DOWNLOADS}, or neither."
        )
    return (str(folder / name),) if (folder / name).is_file() else ()


def _by_hand(missing: Sequence[RemoteFile]) -> str:
    entries = [
        f"{file.name}{f' ({decimal(file.size)})' if file.size is not None else ''} from {file.urls[0]}"
        for file in missing
    ]
    listed = f" {entries[0]} " if len(entries) == 1 else "\n  ".join(["", *entries]) + "\n"
    return (
        f"Try again later (the download resumes where it stopped), or put{listed}into a folder and name that "
        f"folder as `mirror` in params.yaml or in the environment variable {DOWNLOADS}."
    )


def _from_first(addresses: Sequence[str], target: Path, expected: str | None, size: int | None) -> None:
    """Make ``target`` the file from the first address that has it."""
    part = target.with_name(f".{target.name}.part")
    if size is not None:
        require_room(part, size)
    failures: list[UnavailableError] = []
    for address in addresses:
        if failures:
            say(f"{failures[-1].reason}\nTrying the next address: {address}")
        try:
            _bring(address, part, expected, size)
        except UnavailableError as error:
            failures.append(error)
        else:
            os.replace(part, target)
            return
    if len(failures) == 1:
        raise failures[0]
    reasons = "".join("\n- " + failure.reason.replace("\n", "\n  ") for failure in failures)
    raise UnavailableError(
        f"{target.name} could not be downloaded from any of {len(addresses)} addresses.{reasons}",
        "\nTry again later (the download resumes where it stopped), or get the file by other means and "
        "give its path as url in params.yaml.",
    )


def _bring(url: str, part: Path, expected: str | None, size: int | None) -> None:
    """Make ``part`` the file at this address, its checksum verified."""
    for resumed in (part.exists(), False):
        transfer(url, part, size)
        if expected is None:
            return
        found = checksum(part, expected.partition(":")[0])
        if found == expected:
            return
        # The earlier part may be the beginning of another file: try once more from the first byte.
        part.unlink()
        if not resumed:
            break
    raise UnavailableError(
        f"{url} is not the expected file.\n  expected {expected}\n  found    {found}",
        "\nNothing was kept. If this file is the one you mean, write its checksum next to its url in "
        "params.yaml; if not, give another address or a path as url.",
    )


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Hold the file's lock, so that no other process downloads it at the same time."""
    path = target.with_name(f".{target.name}.lock")
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        say(f"another process is downloading {target}; waiting for it")
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        # Removed while held: a waiting process finds it gone after the release and makes a new one.
        with suppress(OSError):
            path.unlink()
        lock.release()
