"""Downloads against a real HTTP server that behaves badly on request."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from pipeline import download as downloading
from pipeline.download import checksum, download, local_path
from pipeline.errors import UserError

# Larger than several pieces of a download, so that a connection can end between them.
CONTENT = np.random.default_rng(0).bytes(5 * downloading.PIECE + 17)
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Server:
    """Answers each request with the next scripted behaviour, then with the whole file."""

    def __init__(self) -> None:
        self.script: list[str] = []
        self.ranges: list[str | None] = []
        self.takes_ranges = True
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.ranges.append(self.headers.get("Range"))
                server.answer(self, server.script.pop(0) if server.script else "whole")

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/file.npz"

    def answer(self, request: BaseHTTPRequestHandler, behaviour: str) -> None:
        if behaviour.isdigit():
            request.send_response(int(behaviour))
            if behaviour == "429":
                request.send_header("Retry-After", "7")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        start = 0
        asked = request.headers.get("Range")
        if asked and self.takes_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(CONTENT):
                self.answer(request, "416")
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            request.send_response(200)
        request.send_header("Content-Length", str(len(CONTENT) - start))
        request.end_headers()
        end = len(CONTENT) if behaviour == "whole" else start + (len(CONTENT) - start) // 2
        request.wfile.write(CONTENT[start:end])
        request.close_connection = True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that would have been waited between attempts."""
    waited: list[float] = []
    monkeypatch.setattr(downloading.time, "sleep", waited.append)
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


def test_a_server_without_ranges_is_asked_from_the_start(server: Server, target: Path):
    server.takes_ranges = False
    server.script = ["half"]
    download(server.url, target, SHA256)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("left", [b"the beginning of another file", CONTENT, CONTENT + b"more"])
def test_what_an_earlier_run_left_cannot_spoil_the_file(server: Server, target: Path, left: bytes):
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


def test_a_busy_server_is_asked_again_after_a_while(server: Server, target: Path, pauses: list[float]):
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


def test_no_server_at_all_is_one_readable_error(target: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        with pytest.raises(
            UserError, match=r"in 5 attempts\.\n  last failure: no answer from 127\.0\.0\.1:\d+: .*refused"
        ):
            download(f"http://127.0.0.1:{held.getsockname()[1]}/file.npz", target, SHA256)


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
    with pytest.raises(UserError, match="is not the file that is expected"):
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
    with pytest.raises(ValueError, match="s3:// is not known here"):
        local_path("s3://bucket/a.npz")
