"""The one reader of members, tested on every folder."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import vaecore
from vaecore.corruptions import CORRUPTIONS
from vaecore.families import FAMILIES
from vaecore.initializations import INITIALIZATIONS
from vaecore.likelihoods import LIKELIHOODS
from vaecore.members import Folder
from vaecore.networks import NETWORKS
from vaecore.posteriors import POSTERIORS
from vaecore.priors import PRIORS
from vaecore.schedules import SCHEDULES

FOLDERS = [FAMILIES, NETWORKS, INITIALIZATIONS, LIKELIHOODS, POSTERIORS, PRIORS, SCHEDULES, CORRUPTIONS]
every_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.plural)
every_member = pytest.mark.parametrize(
    ("folder", "name"), [(folder, name) for folder in FOLDERS for name in folder.names()], ids=str
)


def test_every_folder_of_vaecore_is_one_of_these():
    folders = {path.parent.name for path in Path(vaecore.__file__).parent.glob("*/__init__.py")}
    assert folders == {folder.package.split(".")[1] for folder in FOLDERS}


@every_member
def test_a_member_is_one_final_class_that_documents_itself_and_its_options(folder: Folder, name: str):
    cls = folder.cls(name)
    assert issubclass(cls, folder.interface)
    assert not cls.__subclasses__()
    assert not getattr(cls, "__abstractmethods__", ())
    module = importlib.import_module(cls.__module__)
    assert len(module.__doc__.strip()) > 40
    assert module.__all__ == [cls.__name__]
    for key, option in cls.options.items():
        assert option.meaning
        if option.default is not None:
            option.check(key, option.default)


@every_folder
def test_an_unknown_name_is_an_error_that_lists_the_members(folder: Folder):
    for value in ("nothing_of_the_kind", {folder.key: "nothing_of_the_kind"}):
        with pytest.raises(
            ValueError, match=f"unknown {folder.noun} 'nothing_of_the_kind'; the {folder.plural} are"
        ) as caught:
            folder.read(value)
        assert ", ".join(folder.names()) in str(caught.value)
        assert folder.package.replace(".", "/") in str(caught.value)
    for value in (3, None, ["a"]):
        with pytest.raises(ValueError, match=f"a {folder.noun} is a name or"):
            folder.read(value)


@every_member
def test_an_unknown_option_is_an_error_that_lists_the_options(folder: Folder, name: str):
    with pytest.raises(ValueError, match=f"{folder.noun} '{name}': unknown option 'colour'") as caught:
        folder.read({folder.key: name, "colour": 1})
    assert ", ".join(folder.cls(name).options) in str(caught.value)


@every_member
def test_a_missing_option_is_named(folder: Folder, name: str):
    missing = [key for key, option in folder.cls(name).options.items() if option.default is None]
    if missing:
        with pytest.raises(ValueError, match=f"{folder.noun} '{name}': option '{missing[0]}' .* is missing"):
            folder.read({folder.key: name})
    else:
        assert folder.read({folder.key: name}).name == name


@pytest.mark.parametrize(
    ("folder", "ways", "one"),
    [
        (NETWORKS, ["mlp", {"name": "mlp"}, {"name": "mlp", "hidden": (256, 256.0)}], "mlp"),
        (NETWORKS, [{"hidden": [], "name": "mlp"}], {"name": "mlp", "hidden": []}),
        (
            LIKELIHOODS,
            [{"name": "gaussian", "sigma": 1}, {"sigma": 1.0, "name": "gaussian"}],
            {"name": "gaussian", "sigma": 1.0},
        ),
        (CORRUPTIONS, ["none", {"name": "none"}], "none"),
        (
            SCHEDULES,
            [
                {"schedule": "cyclical", "from": 0, "to": 1, "period": 5},
                {"to": 1, "ratio": 0.5, "schedule": "cyclical", "from": 0, "period": 5, "delay": 0},
            ],
            {"schedule": "cyclical", "from": 0.0, "to": 1.0, "period": 5.0},
        ),
    ],
)
def test_all_ways_to_write_a_member_are_one(folder: Folder, ways: list, one: object):
    for value in ways:
        assert folder.canonical(value) == one
        assert folder.canonical(folder.canonical(value)) == one
        folder.make(value)
