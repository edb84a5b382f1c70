"""Downloads against real HTTP servers that behave badly on request."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.files import download as downloading
from pipeline.data.files import transfer
from pipeline.data.files.download import (
    DOWNLOADS,
    RemoteFile,
    checksum,
    download,
    fetch_files,
    local_path,
    pinned,
)
from pipeline.errors import UserError

ROOT = Path(__file__).parents[4]

# Larger than several pieces of a download, so that a connection can end between them.
CONTENT = np.random.default_rng(0).bytes(5 * downloading.PIECE + 17)
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
OTHER = b"?" + CONTENT[1:]


class Server:
    """Answers each request with the next scripted behaviour, then with the whole file.

    ======  ==================================================================
    503     any status, without content
    half    declares all, sends half of it
    stall   declares all, sends half of it, then nothing until ``released``
    short   declares and sends half of it
    open    sends half of it without declaring a length
    other   another file of the same length
    ======  ==================================================================
    """

    def __init__(self) -> None:
        self.script: list[str] = []
        self.ranges: list[str | None] = []
        self.paths: list[str] = []
        self.takes_ranges = True
        self.says_length = True
        self.stalled, self.released = threading.Event(), threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.ranges.append(self.headers.get("Range"))
                server.paths.append(self.path)
                server.answer(self, server.script.pop(0) if server.script else "whole")

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self.http.server_port}"
        self.url = f"{self.root}/file.npz"

    def answer(self, request: BaseHTTPRequestHandler, behaviour: str) -> None:
        content = OTHER if behaviour == "other" else CONTENT
        if behaviour.isdigit():
            request.send_response(int(behaviour))
            if behaviour == "429":
                request.send_header("Retry-After", "7")
            if behaviour == "416" and self.says_length:
                request.send_header("Content-Range", f"bytes */{len(content)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        start = 0
        asked = request.headers.get("Range")
        if asked and self.takes_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.answer(request, "416")
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            request.send_response(200)
        all_of_it = behaviour in ("whole", "other")
        end = len(content) if all_of_it else start + (len(content) - start) // 2
        if behaviour != "open":
            request.send_header(
                "Content-Length", str((end if behaviour == "short" else len(content)) - start)
            )
        request.end_headers()
        request.wfile.write(content[start:end])
        if behaviour == "stall":
            self.stalled.set()
            self.released.wait()
            with suppress(OSError):  # whoever asked may be gone by now
                request.wfile.write(content[end:])
        request.close_connection = True


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor a folder of downloads that this machine may have."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", DOWNLOADS):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def mirror() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where connections are refused: bound, but nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/file.npz"


def published(*urls: str, name: str = "file.npz") -> RemoteFile:
    return RemoteFile(name, urls, SHA256, len(CONTENT))


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that would have been waited between attempts."""
    waited: list[float] = []
    monkeypatch.setattr(transfer.time, "sleep", waited.append)
    return waited


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "file.npz"


def part(target: Path) -> Path:
    return target.with_name(".file.npz.part")


def test_a_file_arrives_once(server: Server, target: Path):
    assert download(server.url, target, SHA256) is True
    assert target.read_bytes() == CONTENT
    assert download(server.url, target, SHA256) is False
    assert server.ranges == [None]
    assert list(target.parent.iterdir()) == [target]


def test_a_damaged_file_is_brought_again(server: Server, target: Path):
    target.parent.mkdir()
    target.write_bytes(CONTENT[:-1] + b"?")
    assert download(server.url, target, SHA256) is True
    assert target.read_bytes() == CONTENT


def test_another_file_than_expected_is_not_kept(server: Server, target: Path):
    with pytest.raises(UserError, match=r"expected sha256:0{64}\n  found    " + SHA256):
        download(server.url, target, f"sha256:{'0' * 64}")
    assert not list(target.parent.iterdir())


def test_an_interrupted_download_goes_on_where_it_stopped(server: Server, target: Path, pauses: list[float]):
    server.script = ["half", "half"]
    download(server.url, target, SHA256)
    assert target.read_bytes() == CONTENT
    starts = [int(asked.removeprefix("bytes=")[:-1]) for asked in server.ranges[1:] if asked]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(CONTENT)
    assert pauses == [1, 2]


def test_from_a_server_without_ranges_the_whole_file_is_requested(server: Server, target: Path):
    server.takes_ranges = False
    server.script = ["half"]
    download(server.url, target, SHA256)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("says_length", [True, False])
@pytest.mark.parametrize(
    "left", [b"the beginning of another file", OTHER, CONTENT, CONTENT + b"more"], ids=len
)
def test_what_an_earlier_run_left_cannot_spoil_the_file(
    server: Server, target: Path, left: bytes, says_length: bool
):
    server.says_length = says_length
    target.parent.mkdir()
    part(target).write_bytes(left)
    download(server.url, target, SHA256)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_not_found_is_said_at_once(server: Server, target: Path, pauses: list[float]):
    server.script = ["404"]
    with pytest.raises(UserError, match=r"answered 404 Not Found\. Correct the url"):
        download(server.url, target, SHA256)
    assert len(server.ranges) == 1
    assert not pauses
    assert not target.exists()


def test_a_request_to_a_busy_server_is_repeated_later(server: Server, target: Path, pauses: list[float]):
    server.script = ["503", "429"]
    download(server.url, target, SHA256)
    assert target.read_bytes() == CONTENT
    assert pauses == [1, 7]  # the second one as the server's Retry-After says


def test_a_server_that_stays_busy_is_given_up_and_what_came_is_kept(
    server: Server, target: Path, pauses: list[float]
):
    server.script = ["half"] + ["503"] * 4
    with pytest.raises(UserError, match=r"in 5 attempts.\n  last failure: .*503 Service Unavailable"):
        download(server.url, target, SHA256)
    assert pauses == [1, 2, 4, 8]
    assert CONTENT.startswith(part(target).read_bytes())
    download(server.url, target, SHA256)
    assert server.ranges[-1] is not None
    assert target.read_bytes() == CONTENT


def test_no_server_at_all_is_one_readable_error(nobody: str, target: Path):
    with pytest.raises(
        UserError, match=r"in 5 attempts\.\n  last failure: no answer from 127\.0\.0\.1:\d+: .*refused"
    ):
        download(nobody, target, SHA256)


@pytest.mark.parametrize("written", [str, lambda path: path.as_uri()], ids=["path", "file-url"])
def test_a_local_file_is_copied(tmp_path: Path, target: Path, written: Callable[[Path], str]):
    source = tmp_path / "with space.npz"
    source.write_bytes(CONTENT)
    download(written(source), target, SHA256)
    assert target.read_bytes() == source.read_bytes() == CONTENT


def test_a_local_file_that_is_not_there_or_another_is_an_error(tmp_path: Path, target: Path):
    with pytest.raises(UserError, match="no such file"):
        download(str(tmp_path / "missing.npz"), target, SHA256)
    (tmp_path / "other.npz").write_bytes(b"other")
    with pytest.raises(UserError, match="is not the expected file"):
        download(str(tmp_path / "other.npz"), target, SHA256)
    assert not target.exists()


def test_checksums_are_those_of_the_usual_tools(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    blob = subprocess.run(
        ["git", "hash-object", str(path)], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert checksum(path, "git") == f"git:{blob}"
    assert checksum(path, "sha256") == SHA256
    assert checksum(path, "md5") == f"md5:{hashlib.md5(CONTENT).hexdigest()}"


def test_urls_of_other_kinds_are_refused():
    assert local_path("https://example.org/a.npz") is None
    assert local_path("data/a.npz") == Path("data/a.npz")
    with pytest.raises(ValueError, match="s3:// is not supported"):
        local_path("s3://bucket/a.npz")


def test_what_had_come_to_its_end_is_not_brought_again(server: Server, target: Path):
    target.parent.mkdir()
    part(target).write_bytes(CONTENT)
    download(server.url, target, SHA256)
    assert server.ranges == [f"bytes={len(CONTENT)}-"]  # answered by 416 and the length


def test_after_a_stall_the_rest_is_requested(
    server: Server, target: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(transfer, "TIMEOUT", (10, 0.1))
    server.script = ["stall"]
    download(server.url, target, SHA256)
    assert target.read_bytes() == CONTENT
    assert server.ranges[0] is None
    assert server.ranges[1] is not None
    assert pauses == [1]


def test_content_that_ends_early_is_gone_on_with_where_the_size_is_known(server: Server, target: Path):
    server.script = ["open"]
    download(server.url, target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert server.ranges[1] == f"bytes={len(CONTENT) // 2}-"


@pytest.mark.parametrize(
    ("behaviours", "why"),
    [
        (["404"], "answered 404 Not Found."),
        (["other"], f"is not the expected file.\n  expected {SHA256}\n  found    sha256:"),
        (["short"], "is not the expected file."),
        (["503"] * 5, "could not be downloaded in 5 attempts.\n  last failure: "),
    ],
    ids=["missing", "other", "short", "busy"],
)
def test_if_an_address_fails_the_next_is_tried(
    server: Server,
    mirror: Server,
    target: Path,
    capsys: pytest.CaptureFixture[str],
    behaviours: list[str],
    why: str,
):
    server.script = list(behaviours)
    assert download([server.url, mirror.url], target, SHA256) is True
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]
    said = capsys.readouterr().err
    assert f"{server.url} {why}" in said
    assert f"Trying the next address: {mirror.url}" in said


def test_the_next_address_goes_on_with_what_came_from_the_last(server: Server, mirror: Server, target: Path):
    server.script = ["half", "404"]
    download([server.url, mirror.url], target, SHA256)
    assert target.read_bytes() == CONTENT
    assert mirror.ranges[0] is not None


def test_if_every_address_fails_the_error_names_each(
    server: Server, mirror: Server, nobody: str, target: Path
):
    server.script, mirror.script = ["404"], ["other"]
    addresses = [server.url, mirror.url, nobody, str(target.parent / "mine.npz")]
    with pytest.raises(
        UserError, match=r"^file\.npz could not be downloaded from any of 4 addresses\."
    ) as raised:
        download(addresses, target, SHA256)
    message = str(raised.value)
    assert [line for line in message.splitlines() if line.startswith("- ")] == [
        f"- {server.url} answered 404 Not Found.",
        f"- {mirror.url} is not the expected file.",
        f"- {nobody} could not be downloaded in 5 attempts.",
        f"- {target.parent / 'mine.npz'}: there is no such file.",
    ]
    assert "Try again later" in message


def test_requests_go_through_a_proxy(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", server.root)
    download("http://files.example.org/file.npz", target, SHA256)
    assert target.read_bytes() == CONTENT
    assert server.paths == ["http://files.example.org/file.npz"]


def test_files_arrive_and_those_that_are_there_are_left_alone(server: Server, tmp_path: Path):
    files = [published(f"{server.root}/{name}", name=name) for name in ("a.npz", "b.npz")]
    (tmp_path / "a.npz").write_bytes(CONTENT)
    before = (tmp_path / "a.npz").stat()
    fetch_files(files, tmp_path, None)
    fetch_files(files, tmp_path, "/no/such/folder")  # is not even looked at
    assert server.paths == ["/b.npz"]
    assert (tmp_path / "a.npz").stat() == before
    assert {path.name for path in tmp_path.iterdir()} == {"a.npz", "b.npz"}


@pytest.mark.parametrize("how", ["path", "file-url", "variable"])
def test_a_folder_of_downloads_needs_no_network(
    nobody: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float], how: str
):
    mine = tmp_path / "my downloads"
    mine.mkdir()
    (mine / "file.npz").write_bytes(CONTENT)
    if how == "variable":
        monkeypatch.setenv(DOWNLOADS, str(mine))
    named = {"path": str(mine), "file-url": mine.as_uri(), "variable": None}[how]
    fetch_files([published(nobody)], tmp_path / "raw", named)
    assert (tmp_path / "raw" / "file.npz").read_bytes() == CONTENT
    assert not pauses
    (mine / "file.npz").write_bytes(b"changed later")
    assert (tmp_path / "raw" / "file.npz").read_bytes() == CONTENT


def test_the_mirror_in_params_goes_before_the_variable(
    nobody: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file.npz").write_bytes(CONTENT)
    monkeypatch.setenv(DOWNLOADS, "/no/such/folder")
    fetch_files([published(nobody)], tmp_path / "raw", str(tmp_path))


def test_a_mirror_on_the_network_is_tried_first(server: Server, mirror: Server, tmp_path: Path):
    mirror.script = ["whole", "404"]
    files = [published(server.url), published(f"{server.root}/b c.npz", name="b c.npz")]
    fetch_files(files, tmp_path, f"{mirror.root}/sets/")
    assert mirror.paths == ["/sets/file.npz", "/sets/b%20c.npz"]
    assert server.ranges == [None]


def test_what_a_folder_lacks_is_downloaded(server: Server, tmp_path: Path):
    fetch_files([published(server.url)], tmp_path / "raw", str(tmp_path))
    assert server.ranges == [None]


def test_another_file_in_a_folder_is_reported_and_the_official_address_tried(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file.npz").write_bytes(OTHER)
    fetch_files([published(server.url)], tmp_path / "raw", str(tmp_path))
    assert (tmp_path / "raw" / "file.npz").read_bytes() == CONTENT
    said = capsys.readouterr().err
    assert f"{tmp_path / 'file.npz'} is not the expected file.\n  expected {SHA256}\n  found " in said


@pytest.mark.parametrize(
    ("mirror", "match"),
    [("/no/such/folder", "/no/such/folder is not a folder"), ("s3://bucket", "s3:// is not supported")],
)
def test_a_mirror_that_is_none_is_an_error(nobody: str, tmp_path: Path, mirror: str, match: str):
    with pytest.raises(UserError, match=f"mirror: .*{match}"):
        fetch_files([published(nobody)], tmp_path, mirror)


def test_without_a_network_the_error_says_which_files_to_put_into_which_folder(nobody: str, tmp_path: Path):
    cure = (
        "into a folder and name that folder as `mirror` in params.yaml or in the environment variable "
        + DOWNLOADS
    )
    with pytest.raises(UserError) as raised:
        fetch_files([published(nobody)], tmp_path / "raw", None)
    assert f"put file.npz (1.3 MB) from {nobody} {cure}" in str(raised.value)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "b").write_bytes(CONTENT)
    files = [published(nobody, name=name) for name in ("a", "b", "c")]
    with pytest.raises(UserError) as raised:
        fetch_files(files, tmp_path / "raw", str(mine))
    assert f"put\n  a (1.3 MB) from {nobody}\n  c (1.3 MB) from {nobody}\n{cure}" in str(raised.value)


def process(url: str, target: Path) -> subprocess.Popen[str]:
    """Another one that downloads the same; prints whether it did."""
    program = (
        "import sys; from pathlib import Path; from pipeline.data.files.download import download; "
        "print(download(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, url, str(target), SHA256],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("killed", [False, True])
def test_of_two_processes_one_downloads_and_the_other_waits(server: Server, target: Path, killed: bool):
    server.script = ["stall"]
    with process(server.url, target) as first:
        assert server.stalled.wait(60)
        with process(server.url, target) as second:
            assert second.stderr is not None
            assert second.stderr.readline() == f"another process is downloading {target}; waiting for it\n"
            if killed:
                first.kill()
            else:
                server.released.set()
            results = [running.communicate()[0] for running in (first, second)]
    assert results == (["", "True\n"] if killed else ["True\n", "False\n"])
    assert len(server.ranges) == (2 if killed else 1)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


FULL_DISK = """
import json, os, subprocess, sys
from pathlib import Path
from pipeline.data.files import download as downloading
from pipeline.data.files import transfer
from pipeline.errors import UserError
folder, url, source, sha256, size = Path(sys.argv[1]), *sys.argv[2:5], int(sys.argv[5])
target = folder / "file.npz"
part = folder / ".file.npz.part"
def attempt(address, size=None):
    try:
        return str(downloading.download(address, target, sha256, size))
    except UserError as error:
        return str(error)
said = [attempt(url, size), attempt(url), attempt(source)]
downloading.require_room = transfer.require_room = lambda *_: None  # as where nobody knows the length
for address in (url, source):
    said.append(attempt(address))
    said.append(part.stat().st_size)
    said.append([path.name for path in folder.iterdir()])
subprocess.run(["mount", "-o", "remount,size=4m", str(folder)], check=True)
said.append(attempt(url))
print(json.dumps(said))
"""


def test_a_full_disk_is_an_error_that_says_so(server: Server, tmp_path: Path):
    disk, source = tmp_path / "disk", tmp_path / "source.npz"
    disk.mkdir()
    source.write_bytes(CONTENT)
    mount = 'mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"'
    own_mounts = ["unshare", "-Urm", "sh", "-c", mount, "sh"]
    try:
        trial = subprocess.run([*own_mounts, str(disk), "true"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("needs a disk of 1 MB: there is no unshare here")
    if trial.returncode:
        pytest.skip(f"needs a disk of 1 MB, which may not be mounted here: {trial.stderr.strip()}")
    program = [sys.executable, "-c", FULL_DISK, str(disk), server.url, str(source), SHA256, str(len(CONTENT))]
    result = subprocess.run([*own_mounts, str(disk), *program], capture_output=True, text=True, cwd=ROOT)
    assert not result.returncode, result.stderr
    size_known, length_said, local, *midst, at_last = json.loads(result.stdout)
    for message in (size_known, length_said, local):
        assert f"{disk}: 1.3 MB are missing, and 1.0 MB are free there. Make room" in message
    for message, length, names in (midst[:3], midst[3:]):
        assert message.startswith(f"{disk}: file.npz does not fit (No space left on device), and 0 bytes are")
        assert 0.9e6 < length < len(CONTENT)
        assert names == [".file.npz.part"]
    assert at_last == "True"
    assert server.ranges[0] is None  # asked for its length only once the size was not known
    assert server.ranges[-1] == f"bytes={midst[4]}-"
    assert len(server.ranges) == 3


def test_a_file_without_a_known_checksum_is_pinned_by_what_comes_first(
    server: Server, target: Path, capsys: pytest.CaptureFixture[str]
):
    assert download(server.url, target, None) is True
    assert f"The downloaded file has {SHA256}" in capsys.readouterr().err.replace("\n", " ")
    assert pinned(target) == SHA256
    assert download(server.url, target, None) is False
    fetch_files([RemoteFile(target.name, (server.url,), None)], target.parent, None)
    assert server.ranges == [None], "it came once"

    target.write_bytes(b"another file")
    assert download(server.url, target, None) is True
    assert target.read_bytes() == CONTENT
    other = target.with_name("other")
    other.write_bytes(b"another file")
    target.unlink()
    with pytest.raises(UserError, match="is not the expected file"):
        download(str(other), target, None)
