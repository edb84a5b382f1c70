"""A trial's key: the same for the same numbers, another if they may differ, whatever the layout of the code.

The tests change copies: of a member's file, for which digests are computed, or of the whole working tree.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study import provenance
from pipeline.study.expansion import expand
from pipeline.study.identity import MODEL, UNWRITTEN, UNWRITTEN_CODE, identity, key_of
from pipeline.study.model_settings import Model
from pipeline.study.params import Params
from pipeline.study.trial import Trial
from tests.pipeline.small_study import prepare
from tests.pipeline.small_trials import make_trial
from tests.vaecore.small import example
from vaecore.families import FAMILIES, family_class, names, reference
from vaecore.members import Folder
from vaecore.posteriors import POSTERIORS
from vaecore.priors import PRIORS
from vaecore.revision import REVISION
from vaecore.schedules import SCHEDULES
from vaecore.training import Settings

ROOT = Path(__file__).parents[3]

MOVING = {"schedule": "linear", "from": 0, "to": 4, "steps": 10}
WRITTEN = {
    "model": {"network": "conv", "latents": 10, "likelihood": "bernoulli", "corruption": "none"},
    "training": {"betas": [0.9, 0.999], "precision": "auto", "record_every": 1000},
}
STUDY: dict[str, Any] = {
    "study": "s",
    # one data set by two names: there defaults are relied on, here they are written
    "datasets": {"relies": {}, "writes": {}},
    "families": {name: example(name) for name in names()} | {"beta_vae": {"beta": [4, MOVING]}},
    "untrained": True,
    "seeds": [0, 1],
    "model": {},
    "training": {"steps": 5, "batch_size": 8, "learning_rate": 1e-3},
    "overrides": {"writes": WRITTEN},
    "scheduling": {},
    "evaluation": {"metrics": []},
    "tracking": {},
}
OTHERWISE = {
    "network": "mlp",
    "initialization": "kaiming",
    "likelihood": {"name": "gaussian", "sigma": 0.1},
    "corruption": {"name": "noise", "sigma": 0.3},
}
WIDE: dict[str, Any] = {"overrides": {"writes": {"model": OTHERWISE}}, "seeds": [0]}
"""A study that uses several members of every folder."""


def trials_of(ready: Ready, **changes: Any) -> list[Trial]:
    params = Params.model_validate({**STUDY, **changes})
    return expand(params, dict.fromkeys(params.datasets, ready))


def keys(ready: Ready, **changes: Any) -> list[str]:
    """In the order of the study."""
    return [trial.key for trial in trials_of(ready, **changes)]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Ready:
    """Digits with labels and factors, for every family."""
    prepare(store := Store(tmp_path_factory.mktemp("data")))
    return store.read_ready("digits")


@pytest.fixture(scope="module")
def wide(ready: Ready) -> list[Trial]:
    return trials_of(ready, **WIDE)


# --- what is in a key ---------------------------------------------------------------------------------------


def test_the_key_changes_with_every_part_of_the_identity():
    trial = make_trial("beta_vae")
    changes = {
        "dataset": "other",
        "checksum": "d",
        "family": "conditional_vae",
        "hyper": {"beta": 8.0},
        "network": "conv",
        "initialization": "kaiming",
        "latents": 4,
        "likelihood": {"name": "gaussian", "sigma": 0.1},
        "corruption": {"name": "noise", "sigma": 0.1},
        "training": dataclasses.replace(trial.training, learning_rate=1e-4),
        "seed": 1,
        "code": "t",
    }
    assert set(changes) == {field.name for field in dataclasses.fields(Trial)} - {"varied"}
    others = {"conditional_vae": {"hyper": {"beta": 2.0, "given": "labels"}}}
    found = {
        name: dataclasses.replace(trial, **{name: value, **others.get(str(value), {})}).key
        for name, value in changes.items()
    }
    assert len({trial.key, *found.values()}) == len(changes) + 1
    assert dataclasses.replace(trial, varied=("latents",)).key == trial.key, (
        "the settings that a study varies are not part of it"
    )


def test_the_key_changes_with_every_setting_of_training():
    trial = make_trial()
    changes = {
        "steps": 41, "batch_size": 17, "learning_rate": MOVING, "betas": (0.5, 0.999),
        "precision": "bfloat16", "record_every": 9,
    }  # fmt: skip
    assert set(changes) == {field.name for field in dataclasses.fields(Settings)}
    settings = [dataclasses.replace(trial.training, **{name: value}) for name, value in changes.items()]
    found = {dataclasses.replace(trial, training=changed).key for changed in settings}
    assert len(found | {trial.key}) == len(changes) + 1


def test_a_key_is_of_what_is_not_left_out(ready: Ready):
    """The identity and the key as they have always been: with another key, the trial is trained again."""
    relies, *_ = (trial for trial in trials_of(ready) if trial.family == "beta_vae")
    trial = dataclasses.replace(relies, dataset="digits", checksum="c", code="s")
    assert identity(trial) == {
        "dataset": "digits",
        "checksum": "c",
        "family": {"name": "beta_vae", "beta": 4.0},
        "training.steps": 5,
        "training.batch_size": 8,
        "training.learning_rate": 0.001,
        "seed": 0,
        "code": "s",
    }
    assert key_of(trial) == "94b3c51ba42391c917ed"


def test_each_trial_of_a_study_has_a_key_of_its_own(ready: Ready):
    defaults = {name: default for name, default in UNWRITTEN.items() if name in OTHERWISE} | {
        "initialization": "tensorflow"
    }
    model = {name: [defaults[name], value] for name, value in OTHERWISE.items()} | {"latents": [2, 3]}
    found = trials_of(ready, model=model, datasets={"relies": {}}, overrides={})
    assert len({trial.key for trial in found}) == len(found)
    assert len(found) == (len(names()) + 2) * 2**5 * 2  # two values of beta_vae, and the baseline; two seeds


# --- two ways to write one thing ----------------------------------------------------------------------------

GAUSSIAN = {"name": "gaussian", "sigma": 1}
LINEAR = {"schedule": "linear", "from": 0, "to": 1e-3, "steps": 9}
SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a whole number": ({"families": {"beta_vae": {"beta": 4}}}, {"families": {"beta_vae": {"beta": 4.0}}}),
    "no options": ({"families": {"vae": None}}, {"families": {"vae": {}}}),
    "a default option": (
        {"families": {"factor_vae": {"gamma": 2}}},
        {"families": {"factor_vae": {"critic_width": 1000, "gamma": 2, "critic_learning_rate": 1e-4}}},
    ),
    "a schedule's order": (
        {"families": {"beta_vae": {"beta": MOVING}}},
        {"families": {"beta_vae": {"beta": dict(reversed(MOVING.items()))}}},
    ),
    "a schedule's default": (
        {"families": {"beta_vae": {"beta": MOVING}}},
        {"families": {"beta_vae": {"beta": {**MOVING, "delay": 0}}}},
    ),
    "a network's options": (
        {"model": {"network": "mlp"}, "overrides": {}},
        {"model": {"network": {"hidden": [256.0, 256], "name": "mlp"}}, "overrides": {}},
    ),
    "a name alone": (
        {"model": {"likelihood": "bernoulli"}, "overrides": {}},
        {"model": {"likelihood": {"name": "bernoulli"}}, "overrides": {}},
    ),
    "sigma": (
        {"model": {"likelihood": GAUSSIAN}, "overrides": {}},
        {"model": {"likelihood": {"sigma": 1.0, "name": "gaussian"}}, "overrides": {}},
    ),
    "a network's own initialization": (
        {"model": {"network": "burgess"}, "overrides": {}},
        {"model": {"network": "burgess", "initialization": {"name": "kaiming"}}, "overrides": {}},
    ),
    "a list of one": (
        {"model": {"latents": 4}, "overrides": {}},
        {"model": {"latents": [4.0], "corruption": ["none"]}, "overrides": {}},
    ),
    "everything written": ({"overrides": {}}, {"overrides": {"relies": WRITTEN, "writes": WRITTEN}}),
    "a learning rate": (
        {"training": {**STUDY["training"], "learning_rate": 1}},
        {"training": {**STUDY["training"], "learning_rate": 1.0}},
    ),
    "a learning rate's schedule": (
        {"training": {**STUDY["training"], "learning_rate": LINEAR}},
        {"training": {**STUDY["training"], "learning_rate": {"delay": 0.0, **LINEAR, "from": 0.0}}},
    ),
    "a constant schedule": (
        {"families": {"beta_vae": {"beta": 4}}, "training": {**STUDY["training"], "learning_rate": 1}},
        {
            "families": {"beta_vae": {"beta": {"schedule": "constant", "value": 4}}},
            "training": {**STUDY["training"], "learning_rate": {"schedule": "constant", "value": 1.0}},
        },
    ),
    "betas": (
        {"training": {**STUDY["training"], "betas": [0, 0.5]}},
        {"training": {**STUDY["training"], "betas": (0.0, 0.5)}},
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_two_ways_to_write_the_same_are_one_key(case: str, ready: Ready):
    one, other = (keys(ready, **changes) for changes in SAME[case])
    assert one == other


def test_a_data_set_that_writes_its_defaults_has_the_keys_of_one_that_relies_on_them(ready: Ready):
    relies, writes = (
        [
            dataclasses.replace(trial, dataset="d").key
            for trial in trials_of(ready)
            if trial.dataset == dataset
        ]
        for dataset in STUDY["datasets"]
    )
    assert relies == writes


# --- code ---------------------------------------------------------------------------------------------------

FOLDERS: list[Folder[Any]] = [FAMILIES, POSTERIORS, PRIORS, SCHEDULES, *MODEL.values()]
MEMBERS = [f"{folder.package}.{name}" for folder in FOLDERS for name in folder.names()]

Rewrite = Callable[[str, Callable[[str], str]], bool]


@pytest.fixture
def rewrite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rewrite]:
    """``rewrite(module, change)``: digests see a changed copy of the file; returns whether it differs."""
    real, copies = provenance._file, {}
    monkeypatch.setattr(provenance, "_file", lambda module: copies.get(module) or real(module))

    def write(module: str, change: Callable[[str], str]) -> bool:
        text = real(module).read_text()
        copies[module] = tmp_path / f"{module}.py"
        copies[module].write_text(change(text))
        provenance.code_digest.cache_clear()
        return change(text) != text

    yield write
    provenance.code_digest.cache_clear()


def upside_down(text: str) -> str:
    """Functions and classes in the opposite order, at the end of what they are in."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            node.body.sort(key=lambda each: isinstance(each, ast.FunctionDef | ast.ClassDef))
            first = next(
                (i for i, each in enumerate(node.body) if isinstance(each, ast.FunctionDef | ast.ClassDef)),
                len(node.body),
            )
            node.body[first:] = reversed(node.body[first:])
    return ast.unparse(tree)


def reworded(text: str) -> str:
    """Other meanings, symbols and units of options."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Option":
            node.args = [ast.Constant("in other words")]
            node.keywords = [each for each in node.keywords if each.arg not in ("symbol", "unit")]
            node.keywords.append(ast.keyword("symbol", ast.Constant("ψ")))
    return ast.unparse(tree)


WORDS: dict[str, Callable[[str], str]] = {
    "a comment": lambda text: text + "\n# a word\n",
    "a docstring": lambda text: text.replace('"""', '"""In other words. ', 1),
    "docstrings": lambda text: text.replace(") -> Tensor:\n", ') -> Tensor:\n        """A word."""\n'),
    "an import": lambda text: text.replace("\nfrom typing", "\nimport cmath as unused\nfrom typing", 1),
    "layout": lambda text: ast.unparse(ast.parse(text)),
    "order": upside_down,
    "meanings": reworded,
}


@pytest.mark.parametrize("what", WORDS)
def test_words_change_no_key(what: str, rewrite: Rewrite, ready: Ready, wide: list[Trial]):
    changed = [rewrite(module, WORDS[what]) for module in MEMBERS]
    assert any(changed)
    assert keys(ready, **WIDE) == [trial.key for trial in wide]


def uses(trial: Trial) -> set[str]:
    """The modules of the members that a trial uses."""
    cls = family_class(trial.family)
    values = [value for name, value in trial.hyper.items() if cls.options[name].scheduled]
    scheduled = {value["schedule"] if isinstance(value, Mapping) else "constant" for value in values}
    chosen = {name: folder.read(getattr(trial, name)).name for name, folder in MODEL.items()}
    return {
        f"{FAMILIES.package}.{trial.family}",
        f"{POSTERIORS.package}.{cls.posterior}",
        *([] if cls.prior is None else [f"{PRIORS.package}.{cls.prior}"]),
        *(f"{SCHEDULES.package}.{name}" for name in scheduled | {"constant"}),  # the learning rate's
        *(f"{MODEL[name].package}.{member}" for name, member in chosen.items()),
    }


@pytest.mark.parametrize("module", MEMBERS)
def test_a_changed_line_changes_the_keys_of_those_that_use_its_file(
    module: str, rewrite: Rewrite, ready: Ready, wide: list[Trial]
):
    rewrite(module, lambda text: text + "\nCHANGED = True\n")
    changed = [now != trial.key for trial, now in zip(wide, keys(ready, **WIDE), strict=True)]
    assert changed == [module in uses(trial) for trial in wide]


def test_a_line_of_factor_vae_concerns_factor_vae_alone(rewrite: Rewrite, ready: Ready):
    trials = trials_of(ready)
    assert rewrite("vaecore.families.factor_vae", lambda text: text.replace("(0.5, 0.9)", "(0.5, 0.99)"))
    changed = {
        trial.family for trial, now in zip(trials, keys(ready), strict=True) if now != trial.key
    }  # fmt: skip
    assert changed == {"factor_vae"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.plural)
def test_a_new_file_in_a_folder_of_members_changes_no_key(
    folder: Folder[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: Ready, wide: list[Trial]
):
    package = importlib.import_module(folder.package)
    taken = next(name for name in folder.names() if name != reference())  # there is one reference
    shutil.copy(Path(package.__path__[0]) / f"{taken}.py", tmp_path / "added.py")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    provenance.code_digest.cache_clear()
    try:
        assert "added" in folder.names()
        assert folder.cls("added").__name__ == folder.cls(taken).__name__
        assert keys(ready, **WIDE) == [trial.key for trial in wide]
    finally:
        del sys.modules[f"{folder.package}.added"]
        vars(package).pop("added", None)


def test_another_revision_changes_every_key(monkeypatch: pytest.MonkeyPatch, ready: Ready):
    before = keys(ready)
    monkeypatch.setattr("pipeline.study.identity.REVISION", 10**6)
    assert not set(before) & set(keys(ready))


# --- settings -----------------------------------------------------------------------------------------------


def test_every_setting_with_a_default_has_a_value_at_which_it_is_left_out():
    training = [field for field in dataclasses.fields(Settings) if field.default is not dataclasses.MISSING]
    model = [name for name, field in Model.model_fields.items() if not field.is_required()]
    expected = {f"training.{field.name}" for field in training} | set(model)
    assert set(UNWRITTEN) == expected - {"initialization"}, "that one's default stands in the network's file"


def test_the_values_at_which_settings_are_left_out_stay():
    """Another value would change the key of every trial that has the old one, without a change of it."""
    assert UNWRITTEN.items() >= {
        "network": "conv",
        "latents": 10,
        "likelihood": "bernoulli",
        "corruption": "none",
        "training.betas": [0.9, 0.999],
        "training.precision": "auto",
        "training.record_every": 1000,
    }.items()  # fmt: skip


def test_a_new_setting_of_training_changes_no_key(monkeypatch: pytest.MonkeyPatch):
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Wider(Settings):
        weight_decay: float = 0.0

    trial = make_trial()
    wider = dataclasses.replace(trial, training=Wider(**dataclasses.asdict(trial.training)))
    assert key_of(wider) != trial.key, "as it would be without an entry"
    monkeypatch.setitem(UNWRITTEN, "training.weight_decay", 0.0)
    assert key_of(wider) == trial.key
    decaying = dataclasses.replace(wider, training=dataclasses.replace(wider.training, weight_decay=0.1))
    assert decaying.key != trial.key


def test_a_new_setting_of_the_model_changes_no_identity(monkeypatch: pytest.MonkeyPatch):
    @dataclasses.dataclass(frozen=True)
    class Wider(Trial):
        posterior: str = "diagonal_gaussian"

    trial = make_trial()
    before = trial.key
    monkeypatch.setitem(MODEL, "posterior", POSTERIORS)
    wider = Wider(**{field.name: getattr(trial, field.name) for field in dataclasses.fields(trial)})
    assert key_of(wider) != before, "as it would be without an entry"
    monkeypatch.setitem(UNWRITTEN, "posterior", "diagonal_gaussian")
    assert key_of(wider) == before
    assert dataclasses.replace(wider, posterior="dirac").key != before


def test_a_member_that_a_new_setting_names_changes_no_key_while_its_file_is_as_it_was(
    rewrite: Rewrite, monkeypatch: pytest.MonkeyPatch, ready: Ready, wide: list[Trial]
):
    """As if posteriors had just become members: their files are left out, until one changes."""
    before = [
        key_of(dataclasses.replace(trial, code=code))
        for trial, code in zip(wide, without_posteriors(wide), strict=True)
    ]
    files = [f"{POSTERIORS.package}.{name}" for name in POSTERIORS.names()]
    for module in files:
        monkeypatch.setitem(UNWRITTEN_CODE, module, provenance.code_digest(module))
    assert keys(ready, **WIDE) == before
    rewrite(files[0], lambda text: text + "\nCHANGED = True\n")
    changed = [now != key for now, key in zip(keys(ready, **WIDE), before, strict=True)]
    assert changed == [files[0] in uses(trial) for trial in wide]


def without_posteriors(trials: list[Trial]) -> list[str]:
    """The code of each trial, had the posterior no file of its own."""
    found = []
    for trial in trials:
        modules = sorted(module for module in uses(trial) if not module.startswith(POSTERIORS.package))
        text = f"{REVISION} {provenance.code_digest(*modules)}"
        found.append(hashlib.sha256(text.encode()).hexdigest())
    return found


PROGRAM = """
import json, sys
from pathlib import Path
from pipeline.study.params import Params
from pipeline.store.layout import Store
from pipeline.study.expansion import expand
params = Params.model_validate(json.loads(sys.argv[1]))
ready = dict.fromkeys(params.datasets, Store(Path(sys.argv[2])).read_ready("digits"))
print(json.dumps([trial.key for trial in expand(params, ready)]))
"""

DEFAULTS: dict[str, tuple[str, str, str, Callable[[Trial], bool]]] = {
    "betas": (
        "vaecore/training.py",
        "betas: tuple[float, float] = (0.9, 0.999)",
        "betas: tuple[float, float] = (0.9, 0.99)",
        lambda trial: trial.dataset == "relies",
    ),
    "latents": (
        "pipeline/study/model_settings.py",
        "latents: Latents | list[Latents] = 10",
        "latents: Latents | list[Latents] = 12",
        lambda trial: trial.dataset == "relies",
    ),
    "likelihood": (
        "pipeline/study/model_settings.py",
        'likelihood: Named | list[Named] = "bernoulli"',
        'likelihood: Named | list[Named] = {"name": "gaussian", "sigma": 0.1}',
        lambda trial: trial.dataset == "relies",
    ),
    "a member's option": (
        "vaecore/families/conditional_vae.py",
        'symbol="β", default=1.0',
        'symbol="β", default=2.0',
        lambda trial: trial.family == "conditional_vae",
    ),
    "a prior's option": (
        "vaecore/priors/vamp.py",
        'symbol="K", default=500',
        'symbol="K", default=400',
        lambda trial: family_class(trial.family).prior == "vamp",
    ),
    "a network's initialization": (
        "vaecore/networks/conv.py",
        'initialization = "tensorflow"',
        'initialization = "kaiming"',
        lambda trial: trial.network == "conv",
    ),
}


@pytest.mark.parametrize("which", DEFAULTS)
def test_a_changed_default_changes_the_keys_that_rely_on_it(which: str, ready: Ready, tmp_path: Path):
    file, before, after, relies = DEFAULTS[which]
    for package in ("pipeline", "vaecore", "metrics"):
        shutil.copytree(
            ROOT / package, tmp_path / "copy" / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    path = tmp_path / "copy" / file
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))
    prepare(Store(tmp_path))
    writes = {**WRITTEN, "model": {**WRITTEN["model"], "network": ["conv", "mlp"]}}
    study = {**STUDY, "overrides": {"writes": writes}}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(study), str(tmp_path)],
        cwd=tmp_path / "copy",
        env={"PYTHONPATH": str(tmp_path / "copy"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    trials = trials_of(ready, overrides=study["overrides"])
    changed = [now != trial.key for trial, now in zip(trials, json.loads(done.stdout), strict=True)]
    assert changed == [relies(trial) for trial in trials]
    assert any(changed)
    assert not all(changed)
