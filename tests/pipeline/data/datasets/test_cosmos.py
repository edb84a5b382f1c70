"""COSMOS galaxies: light equal to GalSim's, stamps that fit their attributes, noise of the stated σ."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.data.datasets import cosmos
from pipeline.data.files.download import DOWNLOADS
from pipeline.data.shared import galaxies, stamps
from pipeline.errors import UserError
from tests.pipeline.whole import serving, whole

galsim = pytest.importorskip("galsim", reason="the extra betabench[galaxies] is not installed")
fits = pytest.importorskip("astropy.io.fits")

MAIN = "real_galaxy_catalog_23.5_example.fits"
FITS, SELECTION = cosmos.tables("example")
STILL = galaxies.Pose(0.0, False, (0.0, 0.0))
SEEN = {"size": 64, "pixel_scale": 0.05, "psf_fwhm": 0.1}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw") / "cosmos"
    cosmos.fetch(cosmos.Options(), folder)
    return folder


@pytest.fixture(scope="module")
def catalogue() -> galaxies.Catalogue:
    return galaxies.read(cosmos.SHIPPED / FITS, cosmos.SHIPPED / SELECTION)


@pytest.fixture(autouse=True)
def _no_downloads_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DOWNLOADS, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def small_ones(catalogue: galaxies.Catalogue) -> np.ndarray:
    """Rows of galaxies whose light ends well within a stamp: disks, or flatter, half of it within 0.4"."""
    single = catalogue["use_bulgefit"] == 0
    return np.flatnonzero(
        single & (galaxies.half_light(catalogue) < 0.4) & (catalogue["sersicfit"][:, 2] < 1.5)
    )


# --- light --------------------------------------------------------------------------------------------------


def test_the_shipped_example_is_the_genuine_one(shared: Path):
    names = sorted(path.name for path in cosmos.SHIPPED.glob("*.fits"))
    assert names == [MAIN, FITS, SELECTION]
    for name in names:
        assert (cosmos.SHIPPED / name).read_bytes() == (shared / "data" / "cosmos" / name).read_bytes()


def test_the_licence_of_the_example_goes_with_it():
    readme = (cosmos.SHIPPED / "README.md").read_text()
    assert "by the GalSim developers team" in readme
    assert "Redistributions in binary form must reproduce the above copyright notice" in readme
    for name, sha in cosmos.EXAMPLE.items():
        assert f"`{name}`" in readme
        assert sha.removeprefix("sha256:") in readme


def test_profiles_are_those_of_galsim(catalogue: galaxies.Catalogue):
    peer = galsim.COSMOSCatalog(MAIN, dir=str(cosmos.SHIPPED), use_real=False, exclusion_level="none")
    settings = galsim.GSParams(folding_threshold=galaxies.MOST_LIGHT_OUTSIDE)
    assert len(peer) == len(catalogue["IDENT"]) == 100
    for row in range(100):
        assert galaxies.profile(catalogue, row) == peer.makeGalaxy(row, gsparams=settings)


@pytest.mark.parametrize(("sample", "near"), [("23.5", 11.0), ("25.2", 11.0), ("25.2", 40.0)])
def test_cuts_are_those_of_galsim(catalogue: galaxies.Catalogue, sample: str, near: float):
    limits = replace(cosmos.LIMITS[sample], near_mask=near)
    peer = galsim.GalaxySample(
        MAIN,
        dir=str(cosmos.SHIPPED),
        use_real=False,
        exclusion_level="marginal",
        sn_limit=limits.least_signal_to_noise,
        cut_ratio=limits.most_light_at_mask,
        min_mask_dist=limits.near_mask,
    )
    assert 0 < len(peer) < 100
    np.testing.assert_array_equal(np.flatnonzero(galaxies.good(catalogue, limits)), peer.orig_index)


def test_fewer_frequencies_change_no_grey_level(catalogue: galaxies.Catalogue):
    """Against GalSim's own accuracy, for galaxies with bright wings, which the shorter period folds in."""
    wide = np.flatnonzero((galaxies.half_light(catalogue) > 0.8) & (galaxies.half_light(catalogue) < 1.6))
    for row in wide[:4]:
        light = galaxies.profile(catalogue, row)
        exact = light.withGSParams(galsim.GSParams())
        quick, slow = galaxies.stamp(light, STILL, **SEEN), galaxies.stamp(exact, STILL, **SEEN)
        assert np.abs(quick / quick.max() - slow / slow.max()).max() < 0.1 / 255


def test_a_stamp_has_the_galaxys_light_where_its_pose_says(catalogue: galaxies.Catalogue):
    rows = small_ones(catalogue)
    assert len(rows) == 5
    place = np.arange(128) - 63.5  # from the centre of 128 pixels; 2 pixels are 0.1"
    for row in rows:
        pose = galaxies.Pose(0.7, True, (0.1, -0.05))
        image = galaxies.stamp(galaxies.profile(catalogue, row), pose, **{**SEEN, "size": 128})
        assert image.sum() == pytest.approx(catalogue["flux"][row, 0], rel=0.002)  # GalSim's kvalue accuracy
        assert (image * place).sum() / image.sum() == pytest.approx(2, abs=0.01)
        assert (image * place[:, None]).sum() / image.sum() == pytest.approx(-1, abs=0.01)


def test_larger_pixels_hold_the_light_of_the_small_ones(catalogue: galaxies.Catalogue):
    for row in small_ones(catalogue)[:3]:
        light = galaxies.profile(catalogue, row)
        fine = galaxies.stamp(light, STILL, **SEEN)
        coarse = galaxies.stamp(light, STILL, **{**SEEN, "size": 32, "pixel_scale": 0.1})
        sums = fine.reshape(32, 2, 32, 2).sum(axis=(1, 3))
        np.testing.assert_allclose(
            coarse, sums, atol=2e-3 * sums.max()
        )  # GalSim's own kvalue accuracy is 1e-3


# --- stamps -------------------------------------------------------------------------------------------------


def test_stamps_are_described(raw: Path):
    prepared = cosmos.prepare(cosmos.Options(stamps=10), raw)
    details = dict(prepared.details)
    assert (prepared.shape, prepared.storage, prepared.count, prepared.noise_sigma) == (
        (1, 64, 64),
        "uint8",
        10,
        0.02,
    )
    assert prepared.attribute_names == cosmos.ABOUT.attributes
    assert prepared.attributes is not None
    assert (prepared.attributes.dtype, prepared.attributes.shape) == (np.float32, (10, 11))
    left_out = sum(details[key] for key in details if key.startswith("left_out"))
    assert details["galaxies"] + left_out == 100
    assert details["left_out_too_large"] > 0
    assert (details["sky_level"], details["peak_level"]) == (0.1, 0.9)
    assert prepared.meta(cosmos.ABOUT)["noise_sigma"] == 0.02
    assert cosmos.prepare(cosmos.Options(stamps=1, noise=0.0), raw).noise_sigma is None


def test_catalogued_attributes_are_those_of_the_table(raw: Path, catalogue: galaxies.Catalogue):
    options = cosmos.Options(stamps=200)
    prepared = cosmos.prepare(options, raw)
    table = fits.getdata(cosmos.SHIPPED / FITS)
    kept = cosmos._kept(catalogue, options)[0]
    rows = np.resize(kept, 200)
    found = dict(zip(prepared.attribute_names, prepared.attributes.T, strict=True))
    two = table["use_bulgefit"][rows] == 1
    assert 0 < two.sum() < 200
    counts = np.where(two, table["flux"][rows, 1] + table["flux"][rows, 2], table["flux"][rows, 0])
    for name, expected in {
        "mag_auto": table["mag_auto"][rows],
        "zphot": table["zphot"][rows],
        "axis_ratio": table["sersicfit"][rows, 3],
        "log_sersic_n": np.log10(table["sersicfit"][rows, 2]),
        "log_flux_radius": np.log10(table["flux_radius"][rows]),
        "log_hlr": np.log10(table["hlr"][rows, 0]),
        "log_flux": np.log10(counts),
    }.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, err_msg=name)
    # The magnitude was measured in another way, on the image: close to that of the fit, and no more.
    assert np.abs(found["mag_auto"] - (25.94 - 2.5 * found["log_flux"])).max() < 0.9


def test_the_angle_is_that_of_the_second_moments(raw: Path, catalogue: galaxies.Catalogue):
    options = cosmos.Options(stamps=178, noise=0.0, seed=3)
    prepared = cosmos.prepare(options, raw)
    images = whole(prepared)[:, 0] / 255
    kept = np.resize(cosmos._kept(catalogue, options)[0], 178)
    q, n = catalogue["sersicfit"][kept, 3], catalogue["sersicfit"][kept, 2]
    elongated = (
        (catalogue["use_bulgefit"][kept] == 0) & (q < 0.6) & (n < 3) & (catalogue["hlr"][kept, 0] > 0.2)
    )
    mirrored = stamps.poses(178, 3).mirrored[elongated]
    assert min(mirrored.sum(), (~mirrored).sum()) > 5
    y, x = np.indices((64, 64)) - 31.5
    window = np.exp(-(x**2 + y**2) / (2 * 8**2))  # round: it hides the stamp's corners, and has no direction
    values = dict(zip(prepared.attribute_names, prepared.attributes.T, strict=True))
    for k in np.flatnonzero(elongated):
        weight = window * images[k]
        dx, dy = x - (weight * x).sum() / weight.sum(), y - (weight * y).sum() / weight.sum()
        along, across = (weight * (dx**2 - dy**2)).sum(), 2 * (weight * dx * dy).sum()
        angle = np.arctan2(across, along) - np.arctan2(values["sin_2phi"][k], values["cos_2phi"][k])
        assert abs(np.angle(np.exp(1j * angle))) / 2 < np.radians(1.5)  # the window is centred on the stamp


def test_the_shift_is_that_of_the_centre(raw: Path, catalogue: galaxies.Catalogue):
    options = cosmos.Options(stamps=178, noise=0.0)
    prepared = cosmos.prepare(options, raw)
    images = whole(prepared)[:, 0] / 255
    kept = np.resize(cosmos._kept(catalogue, options)[0], 178)
    chosen = np.flatnonzero(np.isin(kept, small_ones(catalogue)))
    place = np.arange(64) - 31.5
    values = dict(zip(prepared.attribute_names, prepared.attributes.T, strict=True))
    assert len(chosen) == 10
    for k in chosen:
        assert (images[k] * place).sum() / images[k].sum() == pytest.approx(values["shift_x"][k], abs=0.1)
        assert (images[k] * place[:, None]).sum() / images[k].sum() == pytest.approx(
            values["shift_y"][k], abs=0.1
        )


@pytest.mark.parametrize(("noise", "size"), [(0.02, None), (0.08, 32)])
def test_noise_is_white_and_of_the_known_sigma(raw: Path, noise: float, size: int | None):
    options = cosmos.Options(stamps=89, noise=noise, image_size=size, seed=5)
    prepared = cosmos.prepare(options, raw)
    images = whole(prepared)[:, 0]
    clean = whole(cosmos.prepare(options.model_copy(update={"noise": 0.0}), raw))[:, 0]
    corners = np.concatenate([images[:, :8, :8], images[:, -8:, -8:]]) / 255
    empty = (
        np.concatenate([clean[:, :8, :8], clean[:, -8:, -8:]]).max(axis=(1, 2)) == 0
    )  # less than 1/510 of the peak
    sky = corners[empty]
    n = sky.size
    assert n > 3_000
    assert prepared.noise_sigma == noise
    # The standard error of a standard deviation is σ / √(2n); rounding adds 0.2 % at the most; light less
    # than 1/510.
    assert sky.std() == pytest.approx(noise, rel=4 / np.sqrt(2 * n) + 0.002)
    assert sky.mean() == pytest.approx(5 * noise, abs=4 * noise / np.sqrt(n) + 1 / 510)
    centred = sky - sky.mean()
    for neighbours in ((centred[:, 1:] * centred[:, :-1]), (centred[:, :, 1:] * centred[:, :, :-1])):
        assert abs(neighbours.mean()) / noise**2 < 4 / np.sqrt(neighbours.size) + 0.01
    # Over all pixels as well: what the noise-free stamp leaves is the noise.
    rest = images / 255 - (5 * noise + (1 - 10 * noise) * clean / 255)
    assert rest.std() == pytest.approx(noise, rel=4 / np.sqrt(2 * rest.size) + 0.005)
    assert np.isin(images, (0, 255)).mean() < 1e-5


def test_a_stamp_depends_on_the_seed_and_its_number_alone(raw: Path, monkeypatch: pytest.MonkeyPatch):
    one = cosmos.prepare(cosmos.Options(stamps=30), raw)
    again = cosmos.prepare(cosmos.Options(stamps=30), raw)
    images = whole(one)
    np.testing.assert_array_equal(images, whole(again))
    monkeypatch.setattr(stamps, "BLOCK", 7)
    fewer = cosmos.prepare(cosmos.Options(stamps=20), raw)
    np.testing.assert_array_equal(whole(fewer), images[:20])
    np.testing.assert_array_equal(fewer.attributes, one.attributes[:20])
    other = cosmos.prepare(cosmos.Options(stamps=20, seed=1), raw)
    assert (whole(other) != images[:20]).reshape(20, -1).any(axis=1).all()
    assert (other.attributes[:, 7:] != one.attributes[:20, 7:]).all()


def test_stamps_are_drawn_block_by_block(raw: Path, monkeypatch: pytest.MonkeyPatch):
    drawn = []
    draw = galaxies.stamp
    monkeypatch.setattr(stamps, "BLOCK", 5)
    monkeypatch.setattr(galaxies, "stamp", lambda *given, **more: drawn.append(1) or draw(*given, **more))
    blocks = iter(cosmos.prepare(cosmos.Options(stamps=1_000_000), raw).blocks)
    assert not drawn
    assert next(blocks).shape == (5, 1, 64, 64)
    assert len(drawn) == 5


# --- files --------------------------------------------------------------------------------------------------


def test_the_example_is_verified_and_fetching_repairs_it(tmp_path: Path):
    folder = tmp_path / "cosmos"
    cosmos.fetch(cosmos.Options(), folder)
    assert sorted(path.name for path in folder.iterdir()) == [FITS, SELECTION]
    before = (folder / FITS).stat().st_mtime_ns
    cosmos.fetch(cosmos.Options(), folder)
    assert (folder / FITS).stat().st_mtime_ns == before
    for damaged in ((folder / FITS).read_bytes()[:-3000], None):
        (folder / FITS).unlink() if damaged is None else (folder / FITS).write_bytes(damaged)
        with pytest.raises(UserError, match="fetch@cosmos"):
            cosmos.prepare(cosmos.Options(), folder)
        cosmos.fetch(cosmos.Options(), folder)
        assert cosmos.prepare(cosmos.Options(), folder).count == 10_000


def test_an_incomplete_installation_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cosmos, "SHIPPED", tmp_path)
    with pytest.raises(UserError, match=r"_fits\.fits is missing, or differs from the published file"):
        cosmos.fetch(cosmos.Options(), tmp_path / "cosmos")


def test_without_galsim_the_error_says_what_to_install(raw: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "galsim", None)
    for stage in (cosmos.fetch, cosmos.prepare):
        with pytest.raises(UserError, match=r'pip install -c constraints.txt -e "\.\[galaxies\]"'):
            stage(cosmos.Options(), raw)


def copied(folder: Path, sample: str, **changed: Any) -> Path:
    """The example's tables under a full sample's names; ``changed``: column -> function of its values."""
    folder.mkdir(parents=True, exist_ok=True)
    for ours, theirs in zip((FITS, SELECTION), cosmos.tables(sample), strict=True):
        with fits.open(cosmos.SHIPPED / ours, memmap=False) as tables:
            for name in set(changed) & set(tables[1].data.names):
                changed[name](tables[1].data[name])
            tables.writeto(folder / theirs, overwrite=True)
    return folder


@pytest.mark.parametrize("inside", ["", "COSMOS_25.2_training_sample"])
def test_the_users_own_tables_are_used(tmp_path: Path, inside: str, raw: Path):
    copied(tmp_path / "own.fits" / inside, "25.2")  # a name that GalSim's own reader stumbles over
    options = cosmos.Options(sample="25.2", path=str(tmp_path / "own.fits"), stamps=3)
    folder = tmp_path / "x_fits" / "cosmos"
    cosmos.fetch(options, folder)
    state = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    cosmos.fetch(options, folder)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == state
    prepared = cosmos.prepare(options, folder)
    assert prepared.details["galaxies"] == 89
    np.testing.assert_array_equal(whole(prepared), whole(cosmos.prepare(cosmos.Options(stamps=3), raw)))
    (folder / cosmos.tables("25.2")[0]).write_bytes(b"other")
    with pytest.raises(UserError, match="its checksum differs"):
        cosmos.prepare(options, folder)


def test_galaxies_with_invalid_values_are_left_out_and_counted(tmp_path: Path, raw: Path):
    kept, _ = cosmos._kept(galaxies.read(raw / FITS, raw / SELECTION), cosmos.Options())
    bad = {
        "zphot": lambda values: values.put(kept[0], np.nan),
        "mag_auto": lambda values: values.put(kept[1], np.inf),
        "flux_radius": lambda values: values.put(kept[2], 0),
        "sersicfit": lambda values: values.__setitem__((kept[3], 3), 1.5),
        "hlr": lambda values: values.__setitem__(kept[4], 0),
        "flux": lambda values: values.__setitem__(kept[5], -1),
        "viable_sersic": lambda values: values.put(kept[6], 0),
        "dmag": lambda values: values.put(kept[7], 0.9),
    }
    path = copied(tmp_path / "own", "23.5", **bad)
    options = cosmos.Options(sample="23.5", path=str(path), stamps=90)
    cosmos.fetch(options, tmp_path / "cosmos")
    prepared = cosmos.prepare(options, tmp_path / "cosmos")
    assert prepared.details["left_out_with_invalid_values"] == 7
    assert prepared.details["left_out_of_poor_quality"] == 5
    assert prepared.details["galaxies"] == 81
    assert np.isfinite(prepared.attributes).all()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20_000])


def _text(path: Path) -> None:
    path.write_text("<html>not found</html>")


def _other_columns(path: Path) -> None:
    path.write_bytes((cosmos.SHIPPED / MAIN).read_bytes())


def _no_table(path: Path) -> None:
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(path, overwrite=True)


def _narrow(path: Path) -> None:
    table = fits.getdata(path).columns
    columns = [fits.Column("sersicfit", "4D", array=np.ones((100, 4)))]
    columns += [fits.Column(c.name, c.format, array=c.array) for c in table if c.name != "sersicfit"]
    fits.BinTableHDU.from_columns(columns).writeto(path, overwrite=True)


def _fewer(path: Path) -> None:
    fits.BinTableHDU(fits.getdata(path)[:90]).writeto(path, overwrite=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, "not a table of a COSMOS catalogue"),
        (_text, "not a table of a COSMOS catalogue"),
        (_no_table, "not a table of a COSMOS catalogue"),
        (_other_columns, "it has no column 'mag_auto'; it has IDENT, RA"),
        (_narrow, r"column 'sersicfit' is \[100, 4\], expected \[rows, 8\]"),
        (_fewer, r"different galaxies \(90 and 100 rows"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, damage: Any, message: str):
    path = copied(tmp_path / "own", "23.5")
    damage(path / cosmos.tables("23.5")[0])
    options = cosmos.Options(sample="23.5", path=str(path))
    with pytest.raises(UserError, match=message):
        cosmos.fetch(options, tmp_path / "cosmos")
    with pytest.raises(UserError, match="fetch@cosmos"):
        cosmos.prepare(options, tmp_path / "cosmos")


def test_a_folder_without_the_tables_is_an_error(tmp_path: Path):
    (tmp_path / cosmos.tables("23.5")[0]).write_bytes(b"")
    with pytest.raises(UserError, match=r"does not have both real_galaxy_catalog_23\.5_fits\.fits and"):
        cosmos.fetch(cosmos.Options(sample="23.5", path=str(tmp_path)), tmp_path / "cosmos")


def test_a_catalogue_without_a_galaxy_to_draw_is_an_error(tmp_path: Path):
    path = copied(tmp_path / "own", "23.5", zphot=lambda values: values.fill(-99))
    options = cosmos.Options(sample="23.5", path=str(path))
    cosmos.fetch(options, tmp_path / "cosmos")
    with pytest.raises(UserError, match=r"no galaxy of the sample 23\.5 can be drawn"):
        cosmos.prepare(options, tmp_path / "cosmos")


# --- downloads ----------------------------------------------------------------------------------------------


def archive(path: Path, sample: str, *, without: str = "") -> None:
    """A small archive in the layout of the real ones: a folder with the tables, a README and images."""
    unpacked = copied(path.parent / "unpacked", sample)
    folder = f"COSMOS_{sample}_training_sample"
    main = f"real_galaxy_catalog_{sample}.fits"
    contents = {main: (cosmos.SHIPPED / MAIN).read_bytes(), f"{folder}_readme.txt": b"Read me.",
                "real_galaxy_images_23.5_n1.fits": bytes(10_000)}  # fmt: skip
    contents |= {name: (unpacked / name).read_bytes() for name in cosmos.tables(sample)}
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            if name != without:
                member = tarfile.TarInfo(f"{folder}/{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served") as address:
        yield tmp_path / "served", address


def served(folder: Path, address: str, sample: str, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Path:
    """An archive at the official address; its checksum is known where that of the real one is."""
    file = cosmos.ARCHIVES[sample]
    archive(folder / file.name, sample, **more)
    md5 = hashlib.md5((folder / file.name).read_bytes()).hexdigest()
    known = file.checksum and f"md5:{md5}"
    there = replace(file, urls=(f"{address}/{file.name}",), checksum=known)
    monkeypatch.setitem(cosmos.ARCHIVES, sample, there)
    return folder / file.name


@pytest.mark.parametrize("sample", ["23.5", "25.2"])
def test_a_full_sample_is_downloaded_and_its_tables_alone_are_kept(
    tmp_path: Path, server: tuple[Path, str], sample: str, monkeypatch: pytest.MonkeyPatch
):
    published = served(*server, sample, monkeypatch)
    options, folder = cosmos.Options(sample=sample, stamps=2), tmp_path / "cosmos"
    cosmos.fetch(options, folder)
    kept = {path.name for path in folder.iterdir() if not path.name.endswith(".sha256")}
    assert kept == set(cosmos.tables(sample))
    published.unlink()  # what is complete is not asked for again
    cosmos.fetch(options, folder)
    prepared = cosmos.prepare(options, folder)
    assert prepared.details["galaxies"] == 89
    assert prepared.source == "https://doi.org/10.5281/zenodo.3242143"


def test_a_mirror_is_tried_first(tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch):
    served(server[0], "http://127.0.0.1:9", "25.2", monkeypatch)
    options = cosmos.Options(sample="25.2", mirror=server[1], stamps=1)
    cosmos.fetch(options, tmp_path / "cosmos")
    assert cosmos.prepare(options, tmp_path / "cosmos").details["sample"] == "25.2"


@pytest.mark.parametrize("sample", ["23.5", "25.2"])
def test_an_archive_without_the_tables_is_refused_and_not_kept(
    tmp_path: Path, server: tuple[Path, str], sample: str, monkeypatch: pytest.MonkeyPatch
):
    served(*server, sample, monkeypatch, without=cosmos.tables(sample)[1])
    with pytest.raises(UserError, match="does not have both"):
        cosmos.fetch(cosmos.Options(sample=sample), tmp_path / "cosmos")
    assert not any((tmp_path / "cosmos").iterdir())
    served(*server, sample, monkeypatch)
    cosmos.fetch(cosmos.Options(sample=sample), tmp_path / "cosmos")


def test_another_archive_than_the_known_one_is_refused(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
):
    published = served(*server, "25.2", monkeypatch)
    published.write_bytes(published.read_bytes()[:-1])
    with pytest.raises(UserError, match="not the expected file"):
        cosmos.fetch(cosmos.Options(sample="25.2"), tmp_path / "cosmos")


# --- options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample": "24"}, "'example', '23.5' or '25.2'"),
        ({"sample": 23.5}, "'example', '23.5' or '25.2'"),
        ({"path": "x"}, "path has no effect on the example"),
        ({"mirror": "x"}, "mirror has no effect on the example"),
        ({"sample": "25.2", "path": "x", "mirror": "y"}, "remove mirror"),
        ({"stamps": 0}, "greater than or equal to 1"),
        ({"noise": 0.001}, "rounding to 8 bits is part of the noise"),
        ({"noise": 0.1}, "little of the range is left"),
        ({"noise": -0.02}, "must be 0, or 0.01 to 0.08"),
        ({"noise": float("nan")}, "must be 0, or 0.01 to 0.08"),
        ({"pixel_scale": 0.01}, "greater than or equal to 0.02"),
        ({"psf_fwhm": 0.0}, "greater than or equal to 0.05"),
        ({"psf_fwhm": float("nan")}, "psf_fwhm"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"image_size": 65}, "scaled down only, from 64"),
        ({"image_size": 4}, "scaled down only"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        cosmos.Options.model_validate(options)
