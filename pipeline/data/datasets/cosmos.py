"""COSMOS galaxies: stamps of real galaxies' light as the Hubble Space Telescope sees it, with known noise.

    x = m + (1 - 2m) f / max f + σ ε,    m = 5σ,    ε ~ N(0, 1) of every pixel,    stored as round(255 x)

    f    a galaxy of the catalogue, drawn without noise (``pipeline/data/shared/galaxies.py``): stamp k shows
         galaxy k mod G of the G that are kept, turned and mirrored at random, shifted by up to half a pixel
    σ    ``noise``: white, the same in every pixel, and known: the σ that a Gaussian likelihood should have

- The scale is linear, and each stamp has its own: fluxes span 2.4 decades, so that with one scale for all,
  four galaxies of five would be fainter than 3σ everywhere. A stamp therefore does not show brightness; it is
  one of the attributes.

- Sky is at m and the brightest pixel at 1 - m, five σ from the ends of the range: of 10^7 pixels, at most
  about 3 are clipped. Rounding to 8 bits adds 1/(255 √12) = 0.0011: the noise grows by 0.2 % at the default
  σ, by 0.7 % at the smallest.

- 64 pixels of 0.05" (as ACS has) are 3.2": half of the example's galaxies have 95 % of their light or more in
  a stamp. The PSF, 0.1" wide, is about Hubble's. Galaxies with half of their light outside a stamp are left
  out.

- ``image_size`` draws the same patch of the sky on fewer, larger pixels, with noise of the same σ in each.

- The test part is drawn among stamps, not galaxies: both parts have the 89 galaxies of the example, in
  different poses.

    attribute            meaning (float32; log is to base 10)
    mag_auto             magnitude, F814W
    log_flux             of the drawn profile, counts per second (zero point 25.94)
    log_flux_radius      SExtractor's half-light radius in the image, pixels of 0.03"
    log_hlr              half-light radius of the Sérsic fit: of the circle of the same area, arcseconds
    log_sersic_n         Sérsic index
    axis_ratio           minor / major axis of the Sérsic fit
    zphot                photometric redshift
    cos_2phi, sin_2phi   φ the angle of the Sérsic fit's major axis in the stamp, from x (right) to y (down)
    shift_x, shift_y     -0.5 to 0.5, in pixels of ``pixel_scale``

``sample: example`` is GalSim's own example of 100 galaxies, which this repository contains. The full samples
are tables of 56,000 (I < 23.5) and 87,000 galaxies (I < 25.2) inside archives of about 4 GB, of which only
the tables are kept. Neither archive was available when this was written: names and columns are those that
GalSim's reader expects. The checksum of 25.2 is the one that Zenodo's server reported in 2020 and that
another project pins; of 23.5 none is known.

R. Mandelbaum, C. Lackner, A. Leauthaud, B. Rowe, "COSMOS real galaxy dataset", Zenodo, 2012,
doi:10.5281/zenodo.3242143.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from pipeline.data.arrays.dataset import About, DownloadOptions, Prepared, fetched
from pipeline.data.files.archives import open_archive
from pipeline.data.files.download import RemoteFile, checksum, fetch_files, holds, pinned
from pipeline.data.shared import galaxies, stamps
from pipeline.errors import UserError
from pipeline.store.files import atomic

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

SHIPPED = Path(__file__).parents[1] / "catalogues" / "cosmos_example"
EXAMPLE = {
    f"real_galaxy_catalog_23.5_example_{name}.fits": f"sha256:{digest}"
    for name, digest in (
        ("fits", "5def1e78f0bff613984436a32c223794e27aaee33086b42eab273cc395be6637"),
        ("selection", "f37e897a8e0f6179e4a660cc0a1d720f48ed5dfd30db0c9b929ecf6988e6ddc7"),
    )
}
"""The tables that this repository contains: name -> checksum."""

URL = "https://zenodo.org/record/3242143/files/"
ARCHIVES = {
    sample: RemoteFile(name, (URL + name,), known)
    for sample, name, known in (
        ("23.5", "COSMOS_23.5_training_sample.tar.gz", None),
        ("25.2", "COSMOS_25.2_training_sample.tar.gz", "md5:e05cfe60c037c645d61ac70545cc2a99"),
    )
}
MOST_FILES, MOST_BYTES = 10_000, 20 << 30
"""Limits of an unpacked archive; according to GalSim it has "almost 6 GB"."""

LIMITS = {
    "example": galaxies.Limits(20.0, 0.2),
    "23.5": galaxies.Limits(20.0, 0.2),
    "25.2": galaxies.Limits(12.0, 0.8),
}

SIZE = 64
ATTRIBUTES = stamps.CATALOGUED + stamps.POSED

ABOUT = About(
    title="COSMOS galaxies",
    what="64×64 stamps of real galaxies' light profiles as the Hubble Space Telescope sees them, turned, "
    "mirrored and shifted at random, with noise of a known σ.",
    source="https://doi.org/10.5281/zenodo.3242143",
    licence="the example: GalSim's, BSD-style (\"Redistribution and use in source and binary forms, with or "
    'without modification, are permitted ..."); the full samples: CC BY 4.0, as others quote Zenodo',
    citation='R. Mandelbaum, C. Lackner, A. Leauthaud, B. Rowe, "COSMOS real galaxy dataset", Zenodo, 2012, '
    "https://doi.org/10.5281/zenodo.3242143; R. Mandelbaum et al., MNRAS 420, 1518, 2012; drawn by GalSim: "
    "B. Rowe et al., Astronomy and Computing 10, 121, 2015, arXiv:1407.7676",
    attributes=ATTRIBUTES,
    files=tuple(ARCHIVES.values()),
)


class Options(DownloadOptions):
    """``datasets.cosmos`` in params.yaml."""

    original_size: ClassVar[int] = SIZE

    sample: Literal["example", "23.5", "25.2"] = "example"
    """The 100 galaxies that this repository contains, or one of the full samples, downloaded."""
    path: str | None = None
    """A folder that has a full sample's tables, ``real_galaxy_catalog_<sample>_fits.fits`` and
    ``..._selection.fits``, itself or in its folder ``COSMOS_<sample>_training_sample``."""
    stamps: Annotated[int, Field(ge=1)] = 10_000
    """N, the number of images."""
    pixel_scale: Annotated[float, Field(ge=0.02, le=0.2)] = 0.05
    """Arcseconds along a pixel's side."""
    psf_fwhm: Annotated[float, Field(ge=0.05, le=1)] = 0.1
    """Full width at half maximum of the Gaussian point spread function, arcseconds."""
    noise: float = 0.02
    """σ of the noise, in units of the range [0, 1]; 0 draws the galaxies without noise."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of poses and noise. The k-th stamp depends on it and on k alone."""

    @field_validator("noise")
    @classmethod
    def _fits_between_rounding_and_range(cls, value: float) -> float:
        if value != 0 and not 0.01 <= value <= 0.08:
            raise ValueError(
                "must be 0, or 0.01 to 0.08: below, rounding to 8 bits is part of the noise; above, little "
                "of the range is left between the 5σ of noise at its ends"
            )
        return value

    @model_validator(mode="after")
    def _has_a_source(self) -> Options:
        if self.sample == "example" and (self.path or self.mirror):
            key = "path" if self.path else "mirror"
            raise ValueError(f"{key} has no effect on the example: set sample to 23.5 or 25.2, or remove it")
        if self.path and self.mirror:
            raise ValueError("path already names the tables: remove mirror")
        return self


def tables(sample: str) -> tuple[str, str]:
    """File names of the fits and of the selection."""
    name = f"real_galaxy_catalog_{'23.5_example' if sample == 'example' else sample}"
    return f"{name}_fits.fits", f"{name}_selection.fits"


def fetch(options: Options, folder: Path) -> None:
    """Bring the two tables of the sample; keep the checksums of a full sample's, which are not published.

    Raises:
        UserError: they cannot be downloaded, are not the expected ones, or no tables of a COSMOS catalogue;
            GalSim is missing.
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
        raise UserError(f"{path} is missing, or differs from the published file. Install betabench again.")
    return path.read_bytes()


def _keep(path: Path, content: bytes) -> None:
    """Write this content, unless the file has it already."""
    if not holds(path, f"sha256:{hashlib.sha256(content).hexdigest()}"):
        with atomic(path) as temporary:
            temporary.write_bytes(content)


def _at(path: Path, sample: str) -> dict[str, bytes]:
    """The tables in a user's folder."""
    for folder in (path, path / f"COSMOS_{sample}_training_sample"):
        if all((folder / name).is_file() for name in tables(sample)):
            return {name: (folder / name).read_bytes() for name in tables(sample)}
    raise UserError(
        f"{path.absolute()} (path in params.yaml: datasets.cosmos) does not have both "
        f"{' and '.join(tables(sample))}, nor does its folder COSMOS_{sample}_training_sample. Correct path, "
        "or remove it to download them."
    )


def _unpacked(archive: Path, names: tuple[str, str]) -> dict[str, bytes]:
    """The tables in an archive, which has no known checksum if it is that of 23.5."""
    either = re.compile("(.*/)?(" + "|".join(map(re.escape, names)) + ")")
    with open_archive(archive, most_files=MOST_FILES, most_bytes=MOST_BYTES) as opened:
        found = {name.rpartition("/")[2]: content for name, content in opened.walk(either)}
    if len(found) < len(names):
        raise UserError(
            f"{archive.name} does not have both {' and '.join(names)}: GalSim's reader expects another "
            "archive, and this one was not kept. Unpack the right one, and name its folder as path in "
            "params.yaml."
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
    rows = np.resize(kept, options.stamps)
    poses = stamps.poses(options.stamps, options.seed)
    size = options.image_size or SIZE
    pixel_scale = options.pixel_scale * SIZE / size
    return Prepared(
        blocks=stamps.draw(
            catalogue,
            rows,
            poses,
            noise=options.noise,
            seed=options.seed,
            size=size,
            pixel_scale=pixel_scale,
            shift_scale=options.pixel_scale,
            psf_fwhm=options.psf_fwhm,
        ),
        count=options.stamps,
        storage="uint8",
        shape=(1, size, size),
        attributes=stamps.attributes(catalogue, rows, poses),
        attribute_names=ATTRIBUTES,
        noise_sigma=options.noise or None,
        source=ABOUT.source if options.sample != "example" else "https://github.com/GalSim-developers/GalSim",
        details={
            "sample": options.sample,
            **counts,
            "seed": options.seed,
            "pixel_scale_arcsec": pixel_scale,
            "psf_fwhm_arcsec": options.psf_fwhm,
            "sky_level": stamps.MARGIN * options.noise,
            "peak_level": 1 - stamps.MARGIN * options.noise,
            "clipped_fraction_at_most": stamps.CLIPPED if options.noise else 0.0,
        },
    )


def _kept(catalogue: galaxies.Catalogue, options: Options) -> tuple[np.ndarray, dict[str, int]]:
    """Rows of the galaxies that are drawn, and the numbers of those that are and that are not."""
    good = galaxies.good(catalogue, LIMITS[options.sample])
    valid = galaxies.drawable(catalogue)
    valid &= np.isfinite(stamps.catalogued(catalogue)).all(axis=1) & (catalogue["zphot"] > 0)
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
            "Set pixel_scale larger, or use another catalogue."
        )
    return kept, counts
