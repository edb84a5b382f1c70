"""Bringing files, each whole and verified, or not at all.

A download is written to a hidden ``.part`` file beside its place (``pipeline.data.files.transfer``); it takes that place only when its
checksum is right. Where a file cannot be had from one address, the next is asked: a mirror of one's own first, then the
official address, then its mirrors. Of several processes that want the same file, one brings it and the others wait.

A checksum is written ``algorithm:hexadecimal``:

    sha256, md5    of the file
    git            of git's blob, SHA-1("blob <length>\\0" + content): what ``git ls-tree -r <commit>`` shows, and so
                   what a git repository that publishes no other checksum guarantees of its files

Of a file whose authors publish no checksum, and of which none is known, the SHA-256 of what came first is kept beside it
(``NAME.sha256``) and is its checksum from then on.
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

from pipeline.data.files.transfer import PIECE, NotHadError, local_path, require_room, room_for, say, transfer
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
"""The environment variable that names a mirror where params.yaml names none."""


@dataclass(frozen=True)
class RemoteFile:
    """A published file, and what tells it from any other."""

    name: str
    """The official name; it has the same name here and in every mirror."""
    urls: tuple[str, ...]
    """The official address, then other places that have the same file."""
    checksum: str | None
    """``sha256:...``, ``md5:...`` or ``git:...``; None where none is known."""
    size: int | None = None
    """Bytes; None where that is not known before."""


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
    """Whether the file is there and has this checksum. None is that of no file."""
    return expected is not None and path.is_file() and checksum(path, expected.partition(":")[0]) == expected


def pinned(target: Path) -> str | None:
    """The checksum of the file that came first, where none was known before; None where none has come."""
    try:
        return target.with_name(f"{target.name}.sha256").read_text().strip()
    except FileNotFoundError:
        return None


def download(urls: str | Sequence[str], target: Path, expected: str | None, size: int | None = None) -> bool:
    """Make ``target`` the file with this checksum, from the first address that has it. False where it was there already.

    Args:
        urls: one address or several: ``http(s)://``, ``file://`` or a path.
        expected: ``sha256:...``, ``md5:...`` or ``git:...``; None takes, and keeps, that of what comes first.
        size: bytes, where known: a full disk is then noticed before anything is asked for.

    Raises:
        UserError: no address has the file (missing, unreachable, or another file than expected), or no room for it.
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
    """Bring all files into ``folder``. What is there already with the right checksum is left alone.

    Args:
        mirror: a folder, or an ``http(s)://`` address, that has the files under their official names, some or all; it
            is asked before the official addresses. None takes ``$BETABENCH_DOWNLOADS``, if that is set.

    Raises:
        UserError: a file cannot be had; the message lists every address and why, and what to put where instead.
    """
    mirror = mirror or os.environ.get(DOWNLOADS) or None
    for index, file in enumerate(files):
        target = folder / file.name
        if _is_there(file, folder):
            continue
        try:
            download((*_mirrored(file.name, mirror), *file.urls), target, file.checksum, file.size)
        except NotHadError as error:
            missing = [other for other in files[index + 1 :] if not _is_there(other, folder)]
            missing = [other for other in missing if not any(map(local_path, _mirrored(other.name, mirror)))]
            raise UserError(f"{error.reason}\n{_by_hand([file, *missing])}") from None


def _is_there(file: RemoteFile, folder: Path) -> bool:
    return holds(folder / file.name, file.checksum or pinned(folder / file.name))


def _pin(target: Path) -> None:
    """Keep the checksum of a file of which none was known."""
    found = checksum(target, "sha256")
    target.with_name(f"{target.name}.sha256").write_text(found + "\n")
    say(
        f"{target.name}: no checksum of it is known to compare with. What came is {found}; it is kept beside the file, and "
        "another file will not be taken for it. To have this very file elsewhere too, write it as checksum in params.yaml."
    )


def _mirrored(name: str, mirror: str | None) -> tuple[str, ...]:
    """The file's address in the mirror; none where there is no mirror, or a folder that lacks the file."""
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
            f"mirror: {folder.absolute()} is not a folder. Name a folder of downloaded files (or an http(s) address) as "
            f"`mirror` in params.yaml or in the environment variable {DOWNLOADS}, or neither."
        )
    return (str(folder / name),) if (folder / name).is_file() else ()


def _by_hand(missing: Sequence[RemoteFile]) -> str:
    wanted = [
        f"{file.name}{f' ({decimal(file.size)})' if file.size is not None else ''} from {file.urls[0]}"
        for file in missing
    ]
    listed = f" {wanted[0]} " if len(wanted) == 1 else "\n  ".join(["", *wanted]) + "\n"
    return (
        f"Try again later (what has come so far is kept and is gone on with), or put{listed}into a folder and name it "
        f"as `mirror` in params.yaml or in the environment variable {DOWNLOADS}."
    )


def _from_first(addresses: Sequence[str], target: Path, expected: str | None, size: int | None) -> None:
    """Make ``target`` what the first address has that has it."""
    part = target.with_name(f".{target.name}.part")
    if size is not None:
        require_room(part, size)
    failures: list[NotHadError] = []
    for address in addresses:
        if failures:
            say(f"{failures[-1].reason}\nTrying the next address: {address}")
        try:
            _bring(address, part, expected, size)
        except NotHadError as error:
            failures.append(error)
        else:
            os.replace(part, target)
            return
    if len(failures) == 1:
        raise failures[0]
    reasons = "".join("\n- " + failure.reason.replace("\n", "\n  ") for failure in failures)
    raise NotHadError(
        f"{target.name} could not be had from any of {len(addresses)} addresses.{reasons}",
        "\nTry again later (what has come so far is kept and is gone on with), or bring the file by other means and "
        "give its path as url in params.yaml.",
    )


def _bring(url: str, part: Path, expected: str | None, size: int | None) -> None:
    """Make ``part`` the file at this address, its checksum verified."""
    for begun in (part.exists(), False):
        transfer(url, part, size)
        if expected is None:
            return
        found = checksum(part, expected.partition(":")[0])
        if found == expected:
            return
        # What lay there may be the beginning of another file: once more from nothing.
        part.unlink()
        if not begun:
            break
    raise NotHadError(
        f"{url} is not the file that is expected.\n  expected {expected}\n  found    {found}",
        "\nNothing was kept. If this file is the one you mean, write its checksum next to its url in params.yaml; "
        "if not, get it from another place and give that as url (a path will do).",
    )


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Hold the file's lock, so that no other process brings it at the same time."""
    path = target.with_name(f".{target.name}.lock")
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        say(f"another process is bringing {target}; waiting for it")
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        # Removed while it is held: who waits for it finds it gone once it is let go, and takes a new one.
        with suppress(OSError):
            path.unlink()
        lock.release()
