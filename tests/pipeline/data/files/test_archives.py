"""Tars as a stranger might send them: valid ones in every format, and every kind of invalid one."""

from __future__ import annotations

import gzip
import io
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.files.archives import Archive, open_archive
from pipeline.errors import UserError

CONTENTS = {
    "set/b/second.png": b"second" * 100,
    "set/a.txt": b"",
    "set/first.png": np.random.default_rng(0).bytes(100_000),
    f"set/{'long/' * 40}ünïcode.png": b"deep",
}
FORMATS = ["tar", "tar.gz", "tar-gnu", "tar-ustar"]
EVERYTHING = re.compile(".*")


def write(path: Path, form: str, contents: dict[str, bytes], folders: tuple[str, ...] = ()) -> None:
    layout = {"tar-gnu": tarfile.GNU_FORMAT, "tar-ustar": tarfile.USTAR_FORMAT}.get(form, tarfile.PAX_FORMAT)
    with tarfile.open(path, "w:gz" if form == "tar.gz" else "w", format=layout) as archive:
        for folder in folders:
            header = tarfile.TarInfo(folder)
            header.type = tarfile.DIRTYPE
            archive.addfile(header)
        for name, content in contents.items():
            archive.addfile(tar_header(name, len(content)), io.BytesIO(content))


def tar_header(name: str, size: int = 0, **fields: object) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size = size
    for field, value in fields.items():
        setattr(header, field, value)
    return header


def use(path: Path, most_files: int = 100, most_bytes: int = 1 << 20) -> dict[str, bytes]:
    """All that can be had from an archive."""
    with open_archive(path, most_files=most_files, most_bytes=most_bytes) as archive:
        walked = dict(archive.walk(EVERYTHING))
        assert archive.names == sorted(walked)
        for name, content in walked.items():
            assert archive.read(name) == content
        return walked


def refuse(path: Path, match: str, member: str | None = None, **limits: int) -> None:
    with pytest.raises(UserError, match=match) as raised:
        use(path, **limits)
    message = str(raised.value)
    assert message.startswith(f"{path}: " + (f"member {member!r}: " if member is not None else ""))
    assert re.search(r"Remove the file|must allow for more", message)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for an archive, in the working folder; nothing else is there afterwards."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "archive"
    assert [other.name for other in tmp_path.iterdir()] == ["archive"]


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> str:
    return request.param


def test_an_honest_archive_is_read_in_its_own_order(path: Path, form: str):
    write(path, form, CONTENTS, ("set", "set/b"))
    assert list(use(path).items()) == list(CONTENTS.items())


def test_files_are_walked_by_their_whole_name(path: Path, form: str):
    write(path, form, CONTENTS)
    with open_archive(path, most_files=10, most_bytes=1 << 20) as archive:
        assert [name for name, _ in archive.walk(re.compile(r"set/\w+\.png"))] == ["set/first.png"]
        assert list(archive.walk(re.compile("first"))) == []
        steps = archive.walk(re.compile(r".*\.png"))
        assert next(steps)[0] == "set/b/second.png"
        assert archive.read("set/a.txt") == b""  # reading in between does not disturb the walk
        assert next(steps) == ("set/first.png", CONTENTS["set/first.png"])


def test_a_missing_member_is_an_error_that_names_others(path: Path, form: str):
    write(path, form, CONTENTS)
    with (
        open_archive(path, most_files=10, most_bytes=1 << 20) as archive,
        pytest.raises(
            UserError, match=r"has no member 'c'. It has 4 files: 'set/b/second.png', .*, \.\.\.\. Is"
        ),
    ):
        archive.read("c")


def test_files_left_by_macos_are_ignored(path: Path, form: str):
    names = ["./a.png", "__MACOSX/._a.png", "b/.DS_Store", "b/._c", "b/c", ".hidden"]
    write(path, form, dict.fromkeys(names, b"x"), ("./", "__MACOSX"))
    assert use(path) == dict.fromkeys(["a.png", "b/c", ".hidden"], b"x")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("/etc/passwd", "absolute"),
        ("../up", "leads out"),
        ("a/../../up", "leads out"),
        ("a/..", "leads out"),
        ("C:/windows", "drive letter"),
        ("a\\b", "backslash"),
        ("a\x1b[2J", "control characters"),
        ("__MACOSX/../up", "leads out"),
    ],
)
def test_a_name_that_is_not_plain_is_refused(path: Path, form: str, name: str, match: str):
    write(path, form, {"good": b"good", name: b"bad"})
    refuse(path, match, name)


def test_the_same_name_twice_is_refused(path: Path, form: str):
    write(path, form, {"a": b"1", "./a": b"2"})
    refuse(path, "two of this name", "./a")
    with tarfile.open(path, "w") as archive:
        archive.addfile(tar_header("a"))
        archive.addfile(tar_header("a"))
    refuse(path, "two of this name", "a")


def test_more_than_expected_is_refused(path: Path, form: str):
    write(path, form, CONTENTS, ("set",))
    size = sum(map(len, CONTENTS.values()))
    assert use(path, most_files=5, most_bytes=size) == CONTENTS
    refuse(path, "more than 4 members", most_files=4)
    refuse(path, f"more than {size - 1:,} bytes", most_bytes=size - 1)


def test_a_bad_archive_is_not_even_opened_where_the_index_is_at_hand(path: Path, form: str):
    write(path, form, {"good": b"good", "../bad": b"bad"})
    opening = open_archive(path, most_files=9, most_bytes=9)
    if form != "tar.gz":
        with pytest.raises(UserError, match="leads out"):
            opening.__enter__()
        return
    with opening as archive:
        with pytest.raises(UserError, match="leads out"):
            archive.read("good")
        steps = archive.walk(EVERYTHING)
        assert next(steps) == ("good", b"good")
        with pytest.raises(UserError, match="leads out"):
            next(steps)


@pytest.mark.parametrize("packed", ["w", "w:gz"])
@pytest.mark.parametrize(
    ("kind", "match"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "pipe"),
        (tarfile.GNUTYPE_SPARSE, "sparse file"),
        (b"V", "unknown kind"),
    ],
)
@pytest.mark.parametrize("linkname", ["target", "t" * 200])
def test_a_tar_member_that_is_no_file_is_refused(
    path: Path, packed: str, kind: bytes, match: str, linkname: str
):
    with tarfile.open(path, packed, format=tarfile.GNU_FORMAT) as archive:  # type: ignore[call-overload]
        archive.addfile(tar_header("good", 4), io.BytesIO(b"good"))
        archive.addfile(tar_header("bad", type=kind, linkname=linkname))
    refuse(path, f"it is .*{match}", "bad")


def test_a_bomb_is_not_decompressed(path: Path):
    write(path, "tar.gz", {"a": bytes(50_000_000)})
    refuse(path, "more than 1,000 bytes", most_bytes=1000)


def test_a_wrong_checksum_is_found(path: Path):
    write(path, "tar.gz", CONTENTS)
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1
    path.write_bytes(raw)
    refuse(path, r"damaged: CRC check failed")


def test_an_archive_that_is_cut_short_is_found(path: Path, form: str):
    write(path, form, CONTENTS)
    whole = path.read_bytes()
    end = whole.rindex(b"deep") // 512 * 512 + 512 if form != "tar.gz" else len(whole)
    for length in [*range(1, end, len(whole) // 50), end - 1, end - 513]:
        path.write_bytes(whole[:length])
        refuse(path, "cut short|neither a tar")
    if end < len(whole):  # between the last member and what says that it is the last
        path.write_bytes(whole[:end])
        refuse(path, "cut short")


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>not found</html>", b"text " * 1000, gzip.compress(b"text " * 1000), gzip.compress(b"a")],
    ids=["empty", "page", "text", "gzip-of-text", "gzip-of-a-letter"],
)
def test_other_files_are_refused(path: Path, content: bytes):
    path.write_bytes(content)
    refuse(path, "neither a tar nor a tar.gz")


def test_a_missing_file_is_an_error(tmp_path: Path):
    with (
        pytest.raises(UserError, match="no such file"),
        open_archive(tmp_path / "a.tar", most_files=1, most_bytes=1),
    ):
        pass


def pax(records: bytes, kind: bytes = b"x", size: int | None = None) -> bytes:
    header = tar_header("extended", len(records) if size is None else size, type=kind)
    return header.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512)


FILE = tar_header("a", 4).tobuf(tarfile.USTAR_FORMAT) + b"good" + bytes(508)
NEGATIVE = tar_header("a", -512).tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["tar", "tar.gz"])
@pytest.mark.parametrize(
    ("raw", "match"),
    [
        (pax(b"18 path=/etc/passwd\n".replace(b"18", b"20")) + FILE, "absolute"),
        (pax(b"20 path=/etc/passwd\n", b"g") + FILE, "absolute"),
        (pax(b"8 path=\n") + FILE, "without a name"),
        (pax(b"11 size=-1\n") + FILE, "declares '-1' bytes"),
        (pax(b"22 GNU.sparse.major=1\n") + FILE, "sparse"),
        (pax(b"999 path=b\n") + FILE, "not made of records"),
        (pax(b"0 path=b\n") + FILE, "not made of records"),
        (pax(b"", size=1 << 32) + FILE, "too many or too long"),
        (pax(b"9 path=b\n") * 17 + FILE, "too many or too long"),
        (NEGATIVE, "declares -512 bytes"),
        (FILE + b"?" * 512, "damaged at byte 1,024"),
    ],
)
def test_forged_tar_headers_are_refused(
    path: Path, compress: Callable[[bytes], bytes], raw: bytes, match: str
):
    path.write_bytes(compress(raw + bytes(1024)))
    refuse(path, match)


def test_a_gzip_that_does_not_end_is_refused(path: Path):
    path.write_bytes(gzip.compress(FILE + bytes(50_000_000)))
    refuse(path, "goes on after its end")


def test_a_walk_holds_one_member_at_a_time(path: Path, form: str, monkeypatch: pytest.MonkeyPatch):
    """Each content is made when it is asked for, not before."""
    write(path, form, CONTENTS)
    made: list[int] = []
    with open_archive(path, most_files=10, most_bytes=1 << 20) as archive:
        content = archive._content
        monkeypatch.setattr(archive, "_content", lambda member: made.append(member.size) or content(member))
        for number, _ in enumerate(archive.walk(EVERYTHING), 1):
            assert len(made) == number


def test_a_gzipped_tar_is_walked_in_one_pass(path: Path, monkeypatch: pytest.MonkeyPatch):
    write(path, "tar.gz", CONTENTS)
    rewound: list[int] = []
    rewind = gzip._GzipReader._rewind  # type: ignore[attr-defined]
    monkeypatch.setattr(gzip._GzipReader, "_rewind", lambda self: (rewound.append(1), rewind(self))[1])  # type: ignore[attr-defined]
    with open_archive(path, most_files=10, most_bytes=1 << 20) as archive:
        assert dict(archive.walk(EVERYTHING)) == CONTENTS
        assert not rewound


def test_noise_in_an_archive_is_an_error_or_harmless(path: Path, form: str):
    """No exception but UserError, and no name outside of the archive."""
    write(path, form, {"a": b"0123456789" * 30, "b/c": b"x"})
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        raw = bytearray(whole)
        for place in rng.integers(0, len(raw), rng.integers(1, 4)):
            raw[place] = rng.integers(0, 256)
        path.write_bytes(raw)
        try:
            names = set(use(path))
        except UserError:
            continue
        assert all(".." not in name.split("/") and not name.startswith("/") for name in names)


def test_archives_of_the_usual_tools_are_read(path: Path, tmp_path_factory: pytest.TempPathFactory):
    source = tmp_path_factory.mktemp("source")
    (source / "folder").mkdir()
    (source / "folder" / "file").write_bytes(b"content")
    for make in ("tar", "gztar"):
        made = shutil.make_archive(str(tmp_path_factory.mktemp("made") / "archive"), make, source)
        shutil.copy(made, path)
        assert use(path) == {"folder/file": b"content"}


def test_an_archive_has_no_more_than_its_interface():
    assert {name for name in vars(Archive) if not name.startswith("_")} == {"names", "read", "walk"}
