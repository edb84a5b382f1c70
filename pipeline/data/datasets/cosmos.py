"""COSMOS galaxies: stamps of real galaxies' light profiles as the Hubble Space Telescope sees them, with known noise.

    x = m + (1 - 2m) f / max f + σ ε,    m = 5σ,    ε ~ N(0, 1) of every pixel,    stored as round(255 x)

    f    a galaxy of the catalogue, drawn without noise (``pipeline/data/shared/galaxies.py``); galaxies are taken in turn, stamp k
         shows galaxy k mod G, turned by a random angle, mirrored at random, shifted by up to half a pixel
    σ    ``noise``: white, the same in every pixel, and known: what a Gaussian likelihood should have as its σ

- The scale is linear, and each stamp has its own: fluxes span 2.4 decades, so that with one scale for all, four galaxies
  of five would be fainter than 3σ everywhere. Brightness is therefore not seen in a stamp; it is among the attributes.
- Sky lies at m and the brightest pixel at 1 - m, five σ from either end of the range: of 10^7 pixels some 3 are
  clipped at the most. Rounding to 8 bits adds 1/(255 √12) = 0.0011, 0.2 % more noise than the default σ alone, and 0.7 % at the least.
- 64 pixels of 0.05" (as ACS has) are 3.2": half of the example's galaxies have 95 % of their light or more in a stamp. The PSF,
  0.1" wide, is about Hubble's. Galaxies with half of their light farther out than a stamp reaches are left out.
- ``image_size`` draws the same patch of the sky on fewer, larger pixels, with noise of the same σ in each.
- The test part is drawn among stamps, not galaxies: the 89 galaxies kept of the example are in either part, in other poses.

attribute            what (float32; log is to base 10)
mag_auto             magnitude, F814W
log_flux             of what is drawn, counts per second (zero point 25.94)
log_flux_radius      SExtractor's half-light radius in the image, pixels of 0.03"
log_hlr              half-light radius of the Sérsic fit: of the circle of the same area, arcseconds
log_sersic_n         Sérsic index
axis_ratio           minor / major axis of the Sérsic fit
zphot                photometric redshift
cos_2phi, sin_2phi   φ the angle of the Sérsic fit's major axis in the stamp, from x (to the right) towards y (downwards)
shift_x, shift_y     -0.5 to 0.5, in pixels of ``pixel_scale``

``sample: example`` is GalSim's own example, 100 galaxies, and comes with this repository. The full samples are tables of
56,000 (I < 23.5) and 87,000 galaxies (I < 25.2) inside archives of about 4 GB, of which the tables alone are kept. Neither
archive was at hand when this was written: names and columns are those that GalSim's reader wants. The checksum of 25.2
is what Zenodo's server said of it in 2020 and another project that downloads it says; of 23.5 none is known.

R. Mandelbaum, C. Lackner, A. Leauthaud, B. Rowe, "COSMOS real galaxy dataset", Zenodo, 2012, doi:10.5281/zenodo.3242143.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from pipeline.data.arrays.dataset import About, DownloadOptions, Prepared, fetched
from pipeline.data.files.archives import open_archive
from pipeline.data.files.download import RemoteFile, checksum, fetch_files, holds, pinned
from pipeline.data.shared import galaxies
from pipeline.errors import UserError
from pipeline.store.files import atomic

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

SHIPPED = Path(__file__).parents[1] / "catalogues" / "cosmos_example"
EXAMPLE = {
    "real_galaxy_catalog_23.5_example_fits.fits": "sha256:5def1e78f0bff613984436a32c223794e27aaee33086b42eab273cc395be6637",
    "real_galaxy_catalog_23.5_example_selection.fits": "sha256:f37e897a8e0f6179e4a660cc0a1d720f48ed5dfd30db0c9b929ecf6988e6ddc7",
}
"""The tables that come with this repository: name -> checksum."""

URL = "https://zenodo.org/record/3242143/files/"
ARCHIVES = {
    sample: RemoteFile(name, (URL + name,), known)
    for sample, name, known in (
        ("23.5", "COSMOS_23.5_training_sample.tar.gz", None),
        ("25.2", "COSMOS_25.2_training_sample.tar.gz", "md5:e05cfe60c037c645d61ac70545cc2a99"),
    )
}
MOST_FILES, MOST_BYTES = 10_000, 20 << 30
"""Of an archive when unpacked; GalSim says that it is "almost 6 GB"."""

LIMITS = {
    "example": galaxies.Limits(20.0, 0.2),
    "23.5": galaxies.Limits(20.0, 0.2),
    "25.2": galaxies.Limits(12.0, 0.8),
}

SIZE = 64
MARGIN = 5.0
"""Of the range beyond the brightest pixel and below the sky, in σ."""
CLIPPED = 2.9e-7
"""Part of the pixels that are clipped, at the most: of a Gaussian, beyond 5σ at one side."""
BLOCK = 256
"""Stamps drawn at a time."""

CATALOGUED = ("mag_auto", "log_flux", "log_flux_radius", "log_hlr", "log_sersic_n", "axis_ratio", "zphot")
POSED = ("cos_2phi", "sin_2phi", "shift_x", "shift_y")

ABOUT = About(
    title="COSMOS galaxies",
    what="64×64 stamps of real galaxies' light profiles as the Hubble Space Telescope sees them, turned, mirrored and "
    "shifted at random, with noise of a known σ.",
    source="https://doi.org/10.5281/zenodo.3242143",
    licence="the example: GalSim's, BSD-style (\"Redistribution and use in source and binary forms, with or without "
    'modification, are permitted ..."); the full samples: CC BY 4.0, as others quote Zenodo',
    citation='R. Mandelbaum, C. Lackner, A. Leauthaud, B. Rowe, "COSMOS real galaxy dataset", Zenodo, 2012, '
    "https://doi.org/10.5281/zenodo.3242143; R. Mandelbaum et al., MNRAS 420, 1518, 2012; drawn by GalSim: B. Rowe et al., "
    "Astronomy and Computing 10, 121, 2015, arXiv:1407.7676",
    attributes=CATALOGUED + POSED,
    files=tuple(ARCHIVES.values()),
)


class Options(DownloadOptions):
    """``datasets.cosmos`` in params.yaml."""

    original_size: ClassVar[int] = SIZE

    sample: Literal["example", "23.5", "25.2"] = "example"
    """The 100 galaxies that come with this repository, or one of the full samples, downloaded."""
    path: str | None = None
    """A folder that has a full sample's tables already, ``real_galaxy_catalog_<sample>_fits.fits`` and
    ``..._selection.fits``, itself or in its ``COSMOS_<sample>_training_sample``."""
    stamps: Annotated[int, Field(ge=1)] = 10_000
    """N: how many images are drawn."""
    pixel_scale: Annotated[float, Field(ge=0.02, le=0.2)] = 0.05
    """Arcseconds along a pixel's side."""
    psf_fwhm: Annotated[float, Field(ge=0.05, le=1)] = 0.1
    """Full width at half maximum of the Gaussian point spread function, arcseconds."""
    noise: float = 0.02
    """σ of the noise, in units of the range [0, 1]; 0 draws the galaxies alone."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Draws poses and noise. The k-th stamp depends on it and on k alone."""

    @field_validator("noise")
    @classmethod
    def _fits_between_rounding_and_range(cls, value: float) -> float:
        if value != 0 and not 0.01 <= value <= 0.08:
            raise ValueError(
                "must be 0, or 0.01 to 0.08: below, rounding to 8 bits is part of the noise; above, little of the range is left "
                "between 5σ for the noise at either end"
            )
        return value

    @model_validator(mode="after")
    def _has_a_source(self) -> Options:
        if self.sample == "example" and (self.path or self.mirror):
            key = "path" if self.path else "mirror"
            raise ValueError(f"{key} is of no use for the example: set sample to 23.5 or 25.2, or remove it")
        if self.path and self.mirror:
            raise ValueError("the tables are at path already: remove mirror")
        return self


def tables(sample: str) -> tuple[str, str]:
    """File names of the fits and of the selection."""
    name = f"real_galaxy_catalog_{'23.5_example' if sample == 'example' else sample}"
    return f"{name}_fits.fits", f"{name}_selection.fits"


def fetch(options: Options, folder: Path) -> None:
    """Bring the two tables of the sample; of the full ones, whose tables have no published checksum, what came is kept.

    Raises:
        UserError: they cannot be had, are others than expected, or no tables of a COSMOS catalogue; GalSim is missing.
    """
    galaxies.galsim()
    names = tables(options.sample)
    if options.path is None and all(holds(folder / name, _checksum(folder / name)) for name in names):
        return
    contents = _contents(options, folder)
    for name, content in contents.items():
        _keep(folder / name, content)
    if options.sample != "example":
        galaxies.read(*(folder / name for name in names))
        for name in names:
            _keep(folder / f"{name}.sha256", f"{checksum(folder / name, 'sha256')}\n".encode())


def _checksum(path: Path) -> str | None:
    return EXAMPLE.get(path.name) or pinned(path)


def _contents(options: Options, folder: Path) -> dict[str, bytes]:
    """File name -> content of the tables."""
    if options.path is not None:
        return _at(Path(options.path).expanduser(), options.sample)
    if options.sample == "example":
        return {name: _shipped(name) for name in EXAMPLE}
    file = ARCHIVES[options.sample]
    fetch_files([file], folder, options.mirror)
    archive = folder / file.name
    try:
        found = _unpacked(archive, tables(options.sample))
    except UserError:
        archive.with_name(f"{file.name}.sha256").unlink(missing_ok=True)
        archive.unlink()
        raise
    archive.unlink()
    return found


def _shipped(name: str) -> bytes:
    path = SHIPPED / name
    if not holds(path, EXAMPLE[name]):
        raise UserError(f"{path} is missing, or not as it was published. Install betabench again.")
    return path.read_bytes()


def _keep(path: Path, content: bytes) -> None:
    """Make a file have this content; one that has it is left alone."""
    if not holds(path, f"sha256:{hashlib.sha256(content).hexdigest()}"):
        with atomic(path) as temporary:
            temporary.write_bytes(content)


def _at(path: Path, sample: str) -> dict[str, bytes]:
    """The tables in a user's folder."""
    for folder in (path, path / f"COSMOS_{sample}_training_sample"):
        if all((folder / name).is_file() for name in tables(sample)):
            return {name: (folder / name).read_bytes() for name in tables(sample)}
    raise UserError(
        f"{path.absolute()} (path in params.yaml: datasets.cosmos) has not both {' and '.join(tables(sample))}, nor has its "
        f"folder COSMOS_{sample}_training_sample. Correct path, or remove it to download them."
    )


def _unpacked(archive: Path, names: tuple[str, str]) -> dict[str, bytes]:
    wanted = re.compile("(.*/)?(" + "|".join(map(re.escape, names)) + ")")
    with open_archive(archive, most_files=MOST_FILES, most_bytes=MOST_BYTES) as opened:
        found = {name.rpartition("/")[2]: content for name, content in opened.walk(wanted)}
    if len(found) < len(names):
        raise UserError(
            f"{archive.name} has not both {' and '.join(names)}: it is another archive than GalSim's reader expects, and was "
            "not kept. Unpack the right one, and name its folder as path in params.yaml."
        )
    return found


def prepare(options: Options, folder: Path) -> Prepared:
    """Stamps [N, 1, 64, 64] and their attributes.

    Raises:
        UserError: a table is missing or damaged, no galaxy is left, or GalSim is missing.
    """
    galaxies.galsim()
    names = tables(options.sample)
    catalogue = galaxies.read(*(fetched(folder, name, EXAMPLE.get(name)) for name in names))
    kept, counts = _kept(catalogue, options)
    angles, mirrored, shifts = poses(options.stamps, options.seed)
    size = options.image_size or SIZE
    return Prepared(
        blocks=draw(catalogue, kept, options),
        count=options.stamps,
        storage="uint8",
        shape=(1, size, size),
        attributes=np.concatenate(
            [
                _catalogued(catalogue)[kept[np.arange(options.stamps) % len(kept)]],
                _posed(catalogue, kept, angles, mirrored, shifts),
            ],
            axis=1,
        ).astype(np.float32),
        attribute_names=CATALOGUED + POSED,
        noise_sigma=options.noise or None,
        source=ABOUT.source if options.sample != "example" else "https://github.com/GalSim-developers/GalSim",
        details={
            "sample": options.sample,
            **counts,
            "seed": options.seed,
            "pixel_scale_arcsec": options.pixel_scale * SIZE / size,
            "psf_fwhm_arcsec": options.psf_fwhm,
            "sky_level": MARGIN * options.noise,
            "peak_level": 1 - MARGIN * options.noise,
            "clipped_fraction_at_most": CLIPPED if options.noise else 0.0,
        },
    )


def _kept(catalogue: galaxies.Catalogue, options: Options) -> tuple[np.ndarray, dict[str, int]]:
    """Rows of the galaxies that are drawn, and how many are and are not."""
    good = galaxies.good(catalogue, LIMITS[options.sample])
    valid = galaxies.drawable(catalogue)
    valid &= np.isfinite(_catalogued(catalogue)).all(axis=1) & (catalogue["zphot"] > 0)
    fits = galaxies.half_light(catalogue) <= SIZE / 2 * options.pixel_scale
    kept = np.flatnonzero(good & valid & fits)
    counts = {
        "galaxies": len(kept),
        "left_out_of_poor_quality": int((~good).sum()),
        "left_out_with_invalid_values": int((good & ~valid).sum()),
        "left_out_too_large": int((good & valid & ~fits).sum()),
    }
    if not len(kept):
        raise UserError(
            f"datasets.cosmos: no galaxy of the sample {options.sample} can be drawn ({counts}). "
            "Set pixel_scale larger, or bring another catalogue."
        )
    return kept, counts


def _catalogued(catalogue: galaxies.Catalogue) -> np.ndarray:
    """float64 [G, 7]: the attributes that are of a galaxy; not finite where a value has no logarithm."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack(
            [
                catalogue["mag_auto"],
                np.log10(galaxies.flux(catalogue)),
                np.log10(catalogue["flux_radius"]),
                np.log10(catalogue["hlr"][:, 0]),
                np.log10(catalogue["sersicfit"][:, 2]),
                catalogue["sersicfit"][:, 3],
                catalogue["zphot"],
            ],
            axis=1,
        )


def poses(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each stamp: angle [N] in 0 to 2π, whether it is mirrored [N], shift [N, 2] in pixels."""
    uniform = np.random.default_rng([seed, 0]).random(
        (count, 4)
    )  # row by row, so a row depends on its number alone
    return 2 * np.pi * uniform[:, 0], uniform[:, 1] < 0.5, uniform[:, 2:] - 0.5


def _posed(
    catalogue: galaxies.Catalogue,
    kept: np.ndarray,
    angles: np.ndarray,
    mirrored: np.ndarray,
    shifts: np.ndarray,
) -> np.ndarray:
    """float64 [N, 4]: the attributes that are of a stamp."""
    own = catalogue["sersicfit"][kept[np.arange(len(angles)) % len(kept)], 7]
    phi = angles + np.where(mirrored, -own, own)
    return np.column_stack([np.cos(2 * phi), np.sin(2 * phi), shifts])


def draw(catalogue: galaxies.Catalogue, kept: np.ndarray, options: Options) -> Iterator[np.ndarray]:
    """uint8 [n, 1, size, size] at a time."""
    size = options.image_size or SIZE
    angles, mirrored, shifts = poses(options.stamps, options.seed)
    margin = MARGIN * options.noise
    for start in range(0, options.stamps, BLOCK):
        numbers = range(start, min(start + BLOCK, options.stamps))
        block = np.empty((len(numbers), 1, size, size), dtype=np.uint8)
        for image, k in zip(block, numbers, strict=True):
            x, y = (options.pixel_scale * shifts[k]).tolist()
            light = galaxies.stamp(
                galaxies.profile(catalogue, int(kept[k % len(kept)])),
                galaxies.Pose(float(angles[k]), bool(mirrored[k]), (x, y)),
                size=size,
                pixel_scale=options.pixel_scale * SIZE / size,
                psf_fwhm=options.psf_fwhm,
            )
            noise = np.random.default_rng([options.seed, 1, k]).standard_normal((size, size))
            value = margin + (1 - 2 * margin) * light / light.max() + options.noise * noise
            image[0] = np.rint(255 * np.clip(value, 0, 1))
        yield block
