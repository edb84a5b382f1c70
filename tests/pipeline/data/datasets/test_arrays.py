"""arrays: the user's arrays arrive value for value, or an error names the array and the cure."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from pydantic import ValidationError

from pipeline import preprocess
from pipeline.data.arrays import own_data
from pipeline.data.arrays.grid import factor_table
from pipeline.data.arrays.shrink import shrink
from pipeline.data.datasets import arrays
from pipeline.data.datasets.arrays import Options
from pipeline.data.files import array_file
from pipeline.errors import UserError
from pipeline.store import npy
from pipeline.store.layout import Store
from tests.pipeline.whole import whole

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 10, 10), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (12, 3, 10, 10), dtype=np.uint8)
BITS = RNG.integers(0, 2, (12, 9, 9), dtype=np.uint8)
FACTORS = factor_table((2, 3, 2))
SHUFFLED = RNG.permutation(12)


def npz(path: Path, **members: Any) -> Path:
    np.savez_compressed(path, **members)
    return path


def hdf5(path: Path, options: dict[str, Any] | None = None, **members: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in members.items():
            file.create_dataset(name, data=values, **(options or {}))
    return path


def arrived(path: Path, **options: Any) -> Any:
    given = Options.model_validate({"path": str(path), **options})
    raw = path.parent / "data" / "raw" / "arrays"
    arrays.fetch(given, raw)
    return arrays.prepare(given, raw)


@pytest.fixture(params=["npz", "npz, stored", "h5", "hdf5, chunked"])
def save(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """``save(images=..., ...)`` -> the path of a file of each kind."""

    def saved(**members: Any) -> Path:
        kind, _, how = request.param.partition(", ")
        path = tmp_path / f"own.{kind}"
        if kind == "npz":
            (np.savez if how else np.savez_compressed)(path, **members)
            return path
        return hdf5(
            path, {"chunks": True, "compression": "gzip", "shuffle": True} if how else None, **members
        )

    return saved


# --- images -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (GREY, GREY[:, None]),
        (GREY[:, None], GREY[:, None]),
        (GREY[..., None], GREY[:, None]),
        (COLOUR, COLOUR),
        (COLOUR.transpose(0, 2, 3, 1), COLOUR),
        (COLOUR.astype(np.float32) / 255, COLOUR),
        (COLOUR.astype(">f8") / 255, COLOUR),
    ],
)
def test_images_arrive_as_they_are(save: Any, given: np.ndarray, expected: np.ndarray):
    prepared = arrived(save(images=np.ascontiguousarray(given)))
    assert prepared.storage == "uint8"
    assert prepared.shape == expected.shape[1:]
    np.testing.assert_array_equal(whole(prepared), expected)


@pytest.mark.parametrize("dtype", [np.uint8, bool])
def test_images_of_0_and_1_are_binary(save: Any, dtype: type):
    prepared = arrived(save(images=BITS.astype(dtype)))
    assert (prepared.storage, prepared.shape) == ("bits", (1, 9, 9))
    np.testing.assert_array_equal(np.unpackbits(whole(prepared), axis=1)[:, :81].reshape(12, 9, 9), BITS)
    small = arrived(save(images=BITS.astype(dtype)), image_size=8)
    assert (small.storage, small.shape) == ("uint8", (1, 8, 8))
    np.testing.assert_array_equal(whole(small), shrink(255 * BITS[:, None], 8))


def test_one_npy_file_is_the_images(tmp_path: Path):
    np.save(tmp_path / "own.npy", GREY)
    np.testing.assert_array_equal(whole(arrived(tmp_path / "own.npy"))[:, 0], GREY)
    np.testing.assert_array_equal(whole(arrived(tmp_path / "own.npy", images="any"))[:, 0], GREY)
    with pytest.raises(
        UserError, match=r"no 'labels'\. It has:\n  images: uint8 \[12, 10, 10\]\n.*in a \.npz file"
    ):
        arrived(tmp_path / "own.npy", labels="labels")


def test_floats_are_rounded_to_the_nearest_grey_halves_up(tmp_path: Path):
    values = np.zeros((1, 8, 8))
    values.flat[:6] = [0.5 / 255, 0.49 / 255, 1.5 / 255, 1, 254.49 / 255, 254.5 / 255]
    prepared = arrived(npz(tmp_path / "own.npz", images=values))
    np.testing.assert_array_equal(whole(prepared).flat[:6], [1, 0, 2, 255, 254, 255])


def test_images_are_scaled_down(save: Any):
    prepared = arrived(save(images=COLOUR.transpose(0, 2, 3, 1)), image_size=8)
    np.testing.assert_array_equal(whole(prepared), shrink(COLOUR, 8))


def test_images_may_have_other_names_and_be_in_groups(tmp_path: Path):
    path = hdf5(tmp_path / "own.h5", **{"train/x": COLOUR, "train/y": np.arange(12) % 3, "images": BITS})
    prepared = arrived(path, images="train/x", labels="train/y")
    np.testing.assert_array_equal(whole(prepared), COLOUR)
    np.testing.assert_array_equal(prepared.labels, np.arange(12) % 3)


@pytest.mark.parametrize("place", ["first", "last"])
def test_channels_can_be_said(tmp_path: Path, place: str):
    path = npz(tmp_path / "own.npz", images=COLOUR if place == "first" else COLOUR.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(whole(arrived(path, channels=place)), COLOUR)
    with pytest.raises(UserError, match="should be the channels"):
        arrived(path, channels={"first": "last", "last": "first"}[place])


@pytest.mark.parametrize("chunks", [None, (5, 10, 10), (3, 5, 10), (12, 10, 10)])
def test_images_come_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: Any):
    monkeypatch.setattr(npy, "BLOCK", 250)  # two images
    files = {
        "npz": npz(tmp_path / "own.npz", images=GREY),
        "h5": hdf5(tmp_path / "own.h5", {"chunks": chunks}, images=GREY),
    }
    for path in files.values():
        prepared = arrived(path)
        sizes = [len(block) for block in prepared.blocks]
        assert max(sizes) == 2
        assert sum(sizes) == 12
        np.testing.assert_array_equal(whole(arrived(path))[:, 0], GREY)


def test_chunks_are_read_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(npy, "BLOCK", 250)
    path = hdf5(tmp_path / "own.h5", {"chunks": (5, 10, 10), "compression": "gzip"}, images=GREY)
    asked = []
    read = h5py.Dataset.__getitem__
    monkeypatch.setattr(
        h5py.Dataset,
        "__getitem__",
        lambda dataset, rows: asked.append((rows.start, rows.stop)) or read(dataset, rows),
    )
    list(array_file.arrays(path)["images"].blocks())
    assert asked == [(0, 5), (5, 10), (10, 15)]


# --- factors, labels, attributes ----------------------------------------------------------------------------


def test_factors_labels_and_attributes_are_found_by_their_names(save: Any):
    given = {"factors": FACTORS, "labels": np.arange(12) % 4, "attributes": RNG.normal(size=(12, 2))}
    prepared = arrived(
        save(images=GREY, **given),
        factor_names=["shape", "size", "side"],
        label_names=["a", "b", "c", "d"],
        attribute_names=["mass", "age"],
    )
    np.testing.assert_array_equal(prepared.factors, FACTORS)
    assert prepared.factors.dtype == np.int16
    assert (prepared.factor_names, prepared.factor_sizes) == (("shape", "size", "side"), (2, 3, 2))
    np.testing.assert_array_equal(prepared.labels, given["labels"])
    assert (prepared.labels.dtype, prepared.label_names) == (np.int64, ("a", "b", "c", "d"))
    np.testing.assert_array_equal(prepared.attributes, given["attributes"].astype(np.float32))
    assert (prepared.attributes.dtype, prepared.attribute_names) == (np.float32, ("mass", "age"))
    assert prepared.grid
    assert prepared.places is None


def test_members_set_to_false_are_left_out(tmp_path: Path):
    path = npz(tmp_path / "own.npz", images=GREY, factors=FACTORS, labels=np.array(["x"] * 12))
    prepared = arrived(path, factors=False, labels=False)
    assert prepared.factors is None
    assert prepared.labels is None
    assert arrived(path, labels=False).factors is not None


def test_a_full_grid_in_another_order_is_stored_in_lexicographic_order(save: Any):
    attributes = np.arange(12, dtype=np.float32)[:, None]
    given = {"images": GREY, "factors": FACTORS, "labels": np.arange(12) % 4, "attributes": attributes}
    prepared = arrived(save(**{name: values[SHUFFLED] for name, values in given.items()}))
    assert prepared.grid
    np.testing.assert_array_equal(whole(prepared)[:, 0], GREY)
    np.testing.assert_array_equal(prepared.factors, FACTORS)
    np.testing.assert_array_equal(prepared.labels, given["labels"])
    np.testing.assert_array_equal(prepared.attributes, attributes)


@pytest.mark.parametrize(
    "factors",
    [
        FACTORS[[0, 0, *range(2, 12)]],  # one combination twice, one not at all
        np.stack([np.arange(12) % 3, np.arange(12) // 6], axis=1),
    ],
)
def test_factors_that_are_no_full_grid_stay_in_order(tmp_path: Path, factors: np.ndarray):
    prepared = arrived(npz(tmp_path / "own.npz", images=GREY, factors=factors))
    assert not prepared.grid
    assert prepared.places is None
    np.testing.assert_array_equal(prepared.factors, factors)
    np.testing.assert_array_equal(whole(prepared)[:, 0], GREY)


def test_factors_are_renumbered_and_their_values_kept(tmp_path: Path):
    values = np.array([[-5, 10.0, 2], [7, 40.0, 2], [7, 10.0, 2], [90, 20.0, 2]])
    prepared = arrived(npz(tmp_path / "own.npz", images=GREY[:4], factors=values))
    np.testing.assert_array_equal(prepared.factors, [[0, 0, 0], [1, 2, 0], [1, 0, 0], [2, 1, 0]])
    assert prepared.factor_sizes == (3, 3, 1)
    kept = {"factor_0": [-5, 7, 90], "factor_1": [10, 20, 40], "factor_2": [2]}
    assert json.loads(json.dumps(prepared.details["factor_values"])) == kept


@pytest.mark.parametrize("dtype", [np.int8, np.uint64, bool])
def test_whole_numbers_of_any_type_are_factors_and_labels(save: Any, dtype: type):
    prepared = arrived(
        save(images=GREY, factors=(FACTORS[:, :1]).astype(dtype), labels=FACTORS[:, 2].astype(dtype))
    )
    np.testing.assert_array_equal(prepared.factors, FACTORS[:, :1])
    np.testing.assert_array_equal(prepared.labels, FACTORS[:, 2])


def test_labels_without_names_are_numbered_and_their_values_are_their_names(tmp_path: Path):
    prepared = arrived(npz(tmp_path / "own.npz", images=GREY[:4], labels=np.array([30, -1, 30, 4])))
    np.testing.assert_array_equal(prepared.labels, [2, 0, 2, 1])
    assert prepared.label_names == ("-1", "4", "30")


def test_a_shuffled_grid_is_prepared_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    npz(Path("own.npz"), images=BITS[SHUFFLED], factors=FACTORS[SHUFFLED])
    options, store = Options(path="own.npz", title="Mine"), Store(Path.cwd())
    arrays.fetch(options, store.raw("arrays"))
    meta = preprocess.prepare("arrays", options, store)
    assert (meta["title"], meta["source"], meta["grid"], meta["storage"]) == ("Mine", "own.npz", True, "bits")
    ready = store.read_ready("arrays", verify=True)
    np.testing.assert_array_equal(ready.factors, FACTORS)
    np.testing.assert_array_equal(ready.images, np.packbits(BITS.reshape(12, -1), axis=1))


# --- what cannot be -----------------------------------------------------------------------------------------

NAN = np.where(np.arange(12)[:, None, None] == 7, np.nan, GREY / 255)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"pictures": GREY}, r"no 'images'\. It has:\n  pictures: uint8 \[12, 10, 10\]\nSet `images`"),
        ({"images": GREY.reshape(12, 100)}, r"images: uint8 \[12, 100\]; images are \[N, H, W\]"),
        ({"images": GREY[:0]}, r"images: uint8 \[0, 10, 10\]; there are no images"),
        ({"images": GREY[:, :9]}, "images: 10×9 pixels, and networks need squares. Cut or pad"),
        ({"images": GREY[:, :7, :7]}, "7×7 pixels, and networks need 8 to 128"),
        ({"images": np.zeros((2, 130, 130), np.float32) + 0.5}, "130×130 pixels.*`image_size: 64`"),
        ({"images": np.zeros((2, 3, 10, 3), np.uint8)}, "may be the channels. Set `channels`"),
        ({"images": np.zeros((2, 10, 10, 4), np.uint8)}, r"uint8 \[2, 10, 10, 4\]; axis 1 or axis 3 should"),
        ({"images": GREY.astype(np.int64)}, r"int64 from 0 to 255; .*images\.astype\(numpy\.uint8\)"),
        ({"images": GREY.astype(np.uint16) * 99}, r"uint16 from 0 to 25245; .*Scale them to 0 to 255"),
        ({"images": GREY.astype(np.float32)}, r"float32 from 0 to 255; .*0 \(black\) to 1.*Divide by 255"),
        ({"images": GREY / 127.5 - 1}, r"float64 from -1 to 1; .*\(images \+ 1\) / 2"),
        ({"images": np.full((2, 9, 9), np.inf)}, "float64 from inf to inf"),
        ({"images": GREY * 1j}, "images: is complex128"),
        ({"images": np.full((2, 9, 9), "a")}, "images: is <U1"),
        ({"images": NAN}, r"images: image 7 \(counted from 0\) has NaN"),
        ({"images": np.zeros((2, 9, 9))}, "all images are black"),
        ({"images": GREY / 255 / 255}, "all images are black"),
        ({"images": np.zeros((2, 9, 9), bool)}, "all images are black"),
        ({"images": GREY, "factors": FACTORS[:11]}, "factors: 11 rows, and there are 12 images"),
        ({"images": GREY, "factors": FACTORS[:, 0]}, r"factors: int16 \[12\]; factors are \[N, K\]"),
        ({"images": GREY, "factors": FACTORS[:, :0]}, r"factors: int16 \[12, 0\]; there is nothing"),
        ({"images": GREY, "factors": FACTORS + 0.5}, "row 0, column 0 is 0.5; .*set `attributes`"),
        ({"images": GREY, "factors": FACTORS * np.nan}, "row 0, column 0 is nan"),
        ({"images": GREY, "factors": FACTORS * 1e20}, r"row 1, column 2 is 1e\+20"),
        ({"images": GREY, "factors": FACTORS.astype(str)}, "factors are whole numbers"),
        ({"images": GREY, "labels": np.arange(11)}, "labels: 11 rows, and there are 12 images"),
        ({"images": GREY, "labels": np.eye(12)}, r"labels are \[N\].*labels\.argmax\(axis=1\)"),
        ({"images": GREY, "labels": np.arange(12) / 2}, "labels are whole numbers"),
        ({"images": GREY, "labels": np.array(["x"] * 12)}, "return_inverse=True.*`labels: false`"),
        ({"images": GREY, "labels": np.full(12, 3)}, "all labels are 3. Set `labels: false`"),
        ({"images": GREY, "attributes": np.arange(12)}, r"attributes are \[N, A\]"),
        ({"images": GREY, "attributes": np.full((12, 1), np.inf)}, "row 0, column 0 is inf"),
        ({"images": GREY, "attributes": np.full((12, 1), 1e39)}, "row 0, column 0 is 1e"),
    ],
)  # fmt: skip
def test_fetching_names_unusable_arrays_and_the_cure(
    tmp_path: Path, members: dict[str, np.ndarray], message: str
):
    path = npz(tmp_path / "own.npz", **members)
    with pytest.raises(UserError, match=rf"(?s)own\.npz: .*{message}"):
        arrays.fetch(Options(path=str(path)), tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_too_many_values_for_a_factor_are_attributes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipeline.data.arrays.ground_truth.MOST_VALUES", 2)
    with pytest.raises(
        UserError, match=r"column 1 has 3 different values, and a factor has 2 at most.*attributes"
    ):
        arrived(npz(tmp_path / "own.npz", images=GREY, factors=FACTORS))


class Planted:
    """Something that must not be unpickled."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle was opened",))


def test_objects_are_not_opened(tmp_path: Path):
    planted = np.array([Planted()] * 12, dtype=object)
    path = npz(tmp_path / "own.npz", images=GREY, notes=planted)
    assert arrived(path).count == 12
    with pytest.raises(UserError, match="labels: it holds Python objects, which are not opened"):
        arrived(npz(tmp_path / "own.npz", images=GREY, labels=planted))
    np.save(tmp_path / "own.npy", planted)
    with pytest.raises(UserError, match="Python objects"):
        arrived(tmp_path / "own.npy")
    (tmp_path / "own.npy").write_bytes(pickle.dumps(GREY))
    with pytest.raises(UserError, match=r"own\.npy cannot be read.*magic string"):
        arrived(tmp_path / "own.npy")


def test_an_hdf5_file_that_leads_to_other_files_is_not_followed(tmp_path: Path):
    other = hdf5(tmp_path / "other.h5", x=GREY)
    layout = h5py.VirtualLayout((12, 10, 10), np.uint8)
    layout[:] = h5py.VirtualSource(other, "x", (12, 10, 10))
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["linked"] = h5py.ExternalLink("other.h5", "x")
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("beside", (12, 10, 10), np.uint8, external=[(str(tmp_path / "x.bin"), 0, 1200)])
        file["words"] = ["a"] * 12
        file["empty"] = h5py.Empty("u1")
    for name, message in {
        "linked": r"no 'linked'\. It has:\n  beside: ",
        "virtual": "virtual: its values are in other files",
        "beside": "beside: its values are in other files",
        "words": "words: it holds strings",
        "empty": "empty: it is empty",
    }.items():
        with pytest.raises(UserError, match=message):
            arrived(tmp_path / "own.h5", images=name)


@pytest.mark.parametrize("kind", ["npy", "npz", "h5"])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.97])
def test_a_file_that_was_cut_short_is_an_error(tmp_path: Path, kind: str, part: float):
    path = tmp_path / f"own.{kind}"
    if kind == "npy":
        np.save(path, GREY)
    else:
        (npz if kind == "npz" else hdf5)(path, images=GREY)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(UserError, match=rf"own\.{kind}"):
        arrived(path)


def test_a_damaged_member_is_an_error(tmp_path: Path):
    path = tmp_path / "own.npz"
    np.savez(path, images=GREY)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"own\.npz cannot be read.*CRC"):
        arrived(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00 rubbish")
    with pytest.raises(UserError, match=r"own\.npz: images: "):
        arrived(path)


def test_a_member_that_declares_more_than_it_holds_needs_no_memory(tmp_path: Path):
    path = npz(tmp_path / "own.npz", images=GREY)
    with zipfile.ZipFile(path, "a") as archive, archive.open("factors.npy", "w") as file:
        header = {"descr": "<i8", "fortran_order": False, "shape": (12, 10**15)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(
        UserError, match=r"factors: it has 128 bytes where 96,000,000,000,000,128 are declared"
    ):
        arrived(path)


def test_fortran_order_is_an_error_that_says_so(tmp_path: Path):
    np.save(tmp_path / "own.npy", np.asfortranarray(GREY))
    with pytest.raises(UserError, match=r"own\.npy.*Fortran order.*ascontiguousarray"):
        arrived(tmp_path / "own.npy")


def test_a_path_that_cannot_be_is_an_error(tmp_path: Path):
    for name, message in {
        "nowhere.npz": r"datasets\.arrays\.path: there is no \S+nowhere\.npz \(seen from",
        "own.mat": r"own\.mat ends in \.mat; files that end in \.npy, \.npz, \.h5, \.hdf5",
        ".": "is a folder.*data set `folder`",
    }.items():
        with pytest.raises(UserError, match=message):
            arrays.fetch(Options(path=str(tmp_path / name)), tmp_path / "raw")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor_names": ["a"]}, "factor_names: 1 names, and factors in .* has 3 columns"),
        ({"label_names": ["a", "b"]}, "labels from 0 to 3, and label_names has 2 names"),
        ({"labels": False, "label_names": ["a"]}, "label_names: there are no labels"),
        ({"attribute_names": ["a"]}, "attribute_names: there are no attributes"),
        ({"attributes": "factor"}, r"no 'factor'\. It has:\n  factors: .*\n  images: "),
    ],
)
def test_names_that_do_not_fit_are_an_error(tmp_path: Path, options: dict[str, Any], message: str):
    path = npz(tmp_path / "own.npz", images=GREY, factors=FACTORS, labels=np.arange(12) % 4)
    with pytest.raises(UserError, match=message):
        arrived(path, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "path"),
        ({"path": "x", "factor_names": ["a", "b", "a"]}, "listed more than once: a"),
        ({"path": "x", "labels": True}, "labels"),
        ({"path": "x", "channels": "middle"}, "'auto', 'first' or 'last'"),
        ({"path": "x", "image_size": 200}, "networks need images of 8 to 128"),
        ({"path": "x", "crop": True}, "Extra inputs"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        Options.model_validate(options)


# --- fetching -----------------------------------------------------------------------------------------------


def test_the_manifest_says_what_was_found_and_the_file_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = npz(tmp_path / "own.npz", images=BITS, labels=np.arange(12))
    arrived(path)
    manifest = tmp_path / "data" / "raw" / "arrays" / own_data.MANIFEST
    content = json.loads(manifest.read_text())
    assert content["bytes"] == path.stat().st_size
    assert content["members"] == ["images: uint8 [12, 9, 9]", "labels: int64 [12]"]
    assert content["images"] == {"member": "images", "lowest": 0, "highest": 1}
    before = manifest.stat().st_mtime_ns
    monkeypatch.setattr(arrays, "value_range", lambda _: pytest.fail("looked through again"))
    arrived(path)
    assert manifest.stat().st_mtime_ns == before


def test_a_file_that_has_changed_since_is_an_error_until_fetch_runs_again(tmp_path: Path):
    path = npz(tmp_path / "own.npz", images=BITS, others=GREY)
    options, raw = Options(path=str(path)), tmp_path / "arrays"
    arrays.fetch(options, raw)
    with pytest.raises(UserError, match=r"fetch read 'images', and images is 'others' now.*fetch@arrays"):
        arrays.prepare(Options(path=str(path), images="others"), raw)
    npz(path, images=GREY)
    with pytest.raises(UserError, match=r"own\.npz has changed.*dvc repro --force fetch@arrays"):
        arrays.prepare(options, raw)
    arrays.fetch(options, raw)
    np.testing.assert_array_equal(whole(arrays.prepare(options, raw))[:, 0], GREY)
    (raw / own_data.MANIFEST).write_text("{")
    with pytest.raises(UserError, match=r"manifest\.json is missing or damaged"):
        arrays.prepare(options, raw)
