"""The catalogue has every file that params.yaml can name, and each entry shows how to write it there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import metrics
from pipeline.errors import UserError
from pipeline.study import catalogue
from pipeline.study.catalogue import Entry
from pipeline.study.metric_settings import read_call
from pipeline.study.params import check_training, load
from tests.pipeline.study.test_params import GOOD

ROOT = Path(__file__).parents[3]
ENTRIES = [entry for kind in catalogue.KINDS for entry in catalogue.entries(kind)]
every_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}/{entry.name}")
WITHOUT_PAPERS = {"networks/mlp", "initializations/pytorch", "likelihoods/bernoulli", "corruptions/none"} | {
    "posteriors/dirac",
    "priors/standard_normal",
    "schedules/constant",
    "schedules/linear",
}
"""What every textbook has."""


def test_every_member_is_found():
    packages = {path.parent.name for path in (ROOT / "vaecore").glob("*/__init__.py")}
    assert set(catalogue.MEMBERS) == packages
    for kind in catalogue.MEMBERS:
        files = {path.stem for path in (ROOT / "vaecore" / kind).glob("*.py")} - {"__init__"}
        assert set(catalogue.names(kind)) == files
    assert catalogue.names("metrics") == sorted(metrics.names())


@every_entry
def test_an_entry_describes_its_file(entry: Entry):
    assert (ROOT / entry.file).is_file()
    assert 0 < len(entry.title) <= 110
    assert not entry.title.endswith((",", ".", ":"))
    assert len(entry.text) > 10
    assert bool(entry.papers) != (f"{entry.kind}/{entry.name}" in WITHOUT_PAPERS)
    assert catalogue.find(entry.name).count(entry) == 1
    for option in entry.options:
        assert option.allowed
        assert option.meaning or entry.kind == "metrics"
    assert all(what and value for what, value in entry.facts)


@pytest.mark.parametrize("kind", catalogue.MEMBERS)
def test_the_docstring_of_a_folder_has_a_title(kind: str):
    title, blank, *rest = catalogue.description(kind).split("\n")
    assert title.endswith(".")
    assert not blank
    assert rest


@every_entry
def test_its_example_is_valid_in_params_yaml(entry: Entry, tmp_path: Path):
    if not entry.example:
        assert entry.kind in {"posteriors", "priors"}
        return
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(merged(GOOD, yaml.safe_load(entry.example))))
    study = load(path)
    check_training(study)
    assert entry.name in entry.example


def merged(study: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    """The study with the example's values; data sets, families and metrics are those of the example."""
    (key, value), *others = example.items()
    assert not others
    return {**study, key: {**study[key], **value} if key in ("model", "training", "evaluation") else value}


@pytest.mark.parametrize("name", catalogue.names("metrics"))
def test_the_options_of_a_metric_are_accepted_at_their_defaults(name: str):
    read_call(
        name, {row.name: yaml.safe_load(row.default) for row in catalogue.entry("metrics", name).options}
    )


def test_words_of_the_declarations():
    (beta,) = catalogue.entry("families", "beta_vae").options
    assert (beta.symbol, beta.default, beta.allowed, beta.scheduled) == ("β", "", "a finite number ≥ 0", True)
    conditional = dict(catalogue.entry("families", "conditional_vae").facts)
    assert conditional["needs"] == "labels; factors with given: factors"
    capacity = dict(catalogue.entry("families", "control_vae").facts)
    assert capacity["strength"] == capacity["target of the rate"] == "capacity (C), nats"
    options = {row.name: row for row in catalogue.entry("datasets", "smallnorb").options}
    assert options["test_fraction"].allowed == "a number ≥ 0 and < 1"
    assert options["image_size"].allowed == "a whole number or null"
    assert options["camera"].allowed == "one of left, right"
    assert options["hold_out"].allowed.startswith("a mapping of names to lists of whole numbers or a list of")


def test_a_name_of_several_kinds_is_found_in_each_and_an_unknown_one_nowhere():
    assert [entry.kind for entry in catalogue.find("mlp")] == ["networks"]
    assert catalogue.find("nothing_of_the_kind") == []
    with pytest.raises(UserError, match="Kinds: families, networks"):
        catalogue.entries("optimizers")
