"""The report's page and files: their content, and that two clones write the same files."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import metrics
from pipeline.errors import UserError
from pipeline.reporting.files import write
from pipeline.reporting.outcome import read
from pipeline.reporting.summary import WIDEST
from pipeline.store.layout import Store
from pipeline.study.applicability import inapplicable
from pipeline.study.expansion import expand
from pipeline.study.params import Params
from tests.pipeline.stages import run_stage
from tests.vaecore.small import example
from vaecore.families import family_class, names


class Page(HTMLParser):
    """A parsed page: elements with their attributes, text outside scripts and styles, figures as JSON."""

    VOID = frozenset({"meta", "img", "br", "link", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.figures: dict[str, dict] = {}
        self.cells: list[dict[str, str | None]] = []
        self._figure: str | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.elements.append((tag, found))
        if tag not in self.VOID:
            self.open.append(tag)
        self._figure = found.get("id") if found.get("type") == "application/json" else None

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self._figure and self.open[-1] == "script":
            self.figures[self._figure] = json.loads(data)
            self._figure = None
        elif self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self, name: str) -> list[str]:
        return [found[name] for _, found in self.elements if found.get(name)]


def report(study: tuple[Params, Store]) -> tuple[Page, Path]:
    params, store = study
    write(read(params, store), store)
    return Page((store.reports / "index.html").read_text(encoding="utf-8")), store.reports


@pytest.fixture(scope="module")
def quick(make_study) -> tuple[Page, Path]:
    """Page and folder of a report of two data sets, six families, two seeds."""
    return report(make_study())


def test_the_page_needs_nothing_but_itself(quick):
    page, _ = quick
    loads = {"src", "srcset", "data", "poster", "action", "background", "manifest"}
    for tag, found in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in loads & set(found):
            assert found[name].startswith("data:"), (tag, name, found[name][:60])
        if tag != "a":
            assert "href" not in found, (tag, found)
    style = page.elements[[tag for tag, _ in page.elements].index("style")]
    assert style[1] == {}
    policies = [found for tag, found in page.elements if found.get("http-equiv") == "Content-Security-Policy"]
    assert policies[0]["content"].startswith("default-src 'none'")
    # some of Plotly's default buttons send data to a server
    assert "modeBarButtons:" in (quick[1] / "index.html").read_text()


def test_the_page_holds_its_sections_and_every_setting(quick):
    page, _ = quick
    targets = set(page.attributes("id"))
    assert {"findings", "digits", "dsprites", "run", "sources", "files"} <= targets
    anchors = [href for href in page.attributes("href") if href.startswith("#")]
    assert anchors
    assert {anchor[1:] for anchor in anchors} <= targets
    for name in ("beta_vae beta=16", "annealed_vae capacity=linear(0→20) gamma=30", "factor_vae gamma=20"):
        assert any(title.startswith(name) for title in page.attributes("title")), name
    for text in (
        "quick",
        "trials finished 56 of 56",
        "untrained",
        "make ui",
        "AMD EPYC",
        "CC BY 4.0",
        "2.13.0",
        "# as written",
    ):
        assert text in page.text, text
    assert page.open == ["html"] or not page.open


def test_the_figures_hold_the_scores(quick):
    page, _ = quick
    names = set(page.figures)
    assert {
        "figure-digits-plane",
        "figure-dsprites-mig-beta_vae",
        "figure-dsprites-capacity-annealed_vae",
    } <= names
    assert {"figure-digits-logistic_accuracy-factor_vae", "figure-digits-learning-ae"} <= names
    assert "figure-digits-mig-beta_vae" not in names
    drawn = set(page.attributes("data-figure"))
    assert drawn == names

    traces = {trace.get("name"): trace for trace in page.figures["figure-dsprites-plane"]["data"]}
    assert len(traces["beta_vae"]["x"]) == 4
    assert traces["beta_vae"]["x"] == sorted(traces["beta_vae"]["x"], reverse=True)
    assert traces["ae (rate ∞)"]["line"]["dash"] == "dash"
    assert len(set(traces["ae (rate ∞)"]["y"])) == 1
    notes = [note["text"] for note in page.figures["figure-dsprites-plane"]["layout"]["annotations"]]
    assert any("untrained" in note and "↑" in note for note in notes)
    top = page.figures["figure-dsprites-plane"]["layout"]["yaxis"]["range"][1]
    assert top < 200  # untrained models are at 710 nats; they must not squash the others

    colours = {
        trace["line"]["color"]
        for name, figure in page.figures.items()
        if name.endswith("-beta_vae")
        for trace in figure["data"]
        if "line" in trace and "beta_vae" not in trace.get("name", "") and trace.get("mode") != "markers"
    }
    assert colours == {traces["beta_vae"]["line"]["color"]}


def test_the_page_explains_how_to_read_a_metric(quick):
    page, _ = quick
    about = metrics.describe("mig")
    assert f"range 0 to 1, higher is better blind to {about.blind_to} cost {about.cost}" in page.text
    assert "range 0 to ∞ nats blind to" in page.text, "neither end of the rate is better"


def test_many_metrics_stay_readable(make_study):
    """Tables fit the screen; all but the first few cards and panels unfold."""
    params, store = make_study(datasets=("dsprites",), seeds=(0,))
    scores = store.scores_table("dsprites")
    mains = [about.main for about in map(metrics.describe, metrics.names()) if about.folder != "samples"]
    like_mig = scores[scores["metric"].eq("mig")]
    more = [like_mig.assign(metric=main) for main in mains if main not in set(scores["metric"])]
    store.write_scores_table("dsprites", pd.concat([scores, *more]))
    page, _ = report((params, store))
    html = (store.reports / "index.html").read_text(encoding="utf-8")
    summary = html.split('id="dsprites-summary"')[1].split("<h3")[0]
    tables = summary.split("<table")[1:]
    headings = [table.count('class="metric"') for table in tables]
    assert sum(headings) == len(mains)
    assert max(headings) <= WIDEST
    assert len(tables) > 1
    assert summary.count('<th scope="row"') == len(tables) * tables[0].count('<th scope="row"')
    assert "The other metrics against strength (" in page.text
    assert set(page.attributes("data-figure")) == set(page.figures)


def test_a_family_s_figures_follow_from_its_declarations(make_study):
    families = {name: example(name) for name in names()}
    page, reports = report(make_study(datasets=("digits",), families=families, untrained=False))
    plane = {trace.get("name") for trace in page.figures["figure-digits-plane"]["data"]}
    learned = pd.read_csv(reports / "learning_curves.csv").set_index("family")["capacity"]
    for name in names():
        cls = family_class(name)
        assert ({name, f"{name} (rate ∞)"} & plane) == {f"{name} (rate ∞)" if cls.deterministic else name}
        panels = {f"figure-digits-logistic_accuracy-{name}", f"figure-digits-capacity-{name}"}
        assert (panels & set(page.figures)) == {
            panel
            for panel, has in zip(sorted(panels), (cls.target, cls.strength), strict=True)
            if has is not None
        }
        assert learned[name].notna().all() == learned[name].notna().any() == (cls.target is not None)
        if cls.strength is not None:
            option, figure = (
                cls.options[cls.strength],
                page.figures[f"figure-digits-logistic_accuracy-{name}"],
            )
            unit = f", {option.unit}" if option.unit else ""
            assert figure["layout"]["xaxis"]["title"]["text"] == f"{option.symbol}{unit}"


def test_an_inapplicable_metric_is_shown_with_its_reason(make_study):
    families = {name: example(name) for name in names()}
    params, store = make_study(datasets=("digits",), families=families, untrained=False)
    scores = store.scores_table("digits")
    ready = store.read_ready("digits")
    trials = {trial.key: trial for trial in expand(params, {"digits": ready})}
    requested = {
        metrics.describe(name).main: name for name in ("udr", "kl_decomposition", "frechet_distance")
    }
    like_mse = scores[scores["metric"].eq("mse")]
    for main, name in requested.items():
        applies = [inapplicable(name, trials[key], ready, peers=True) is None for key in like_mse["key"]]
        scores = pd.concat([scores, like_mse[applies].assign(metric=main)])
    store.write_scores_table("digits", scores)
    page, _ = report((params, store))
    notes = [title for title in page.attributes("title") if title.startswith("it does not apply: ")]
    expected = [
        f"it does not apply: {why}"
        for trial in trials.values()
        for name in requested.values()
        if trial.seed == 0 and (why := inapplicable(name, trial, ready, peers=True))
    ]
    assert sorted(notes) == sorted(expected)
    assert {note.removeprefix("it does not apply: ") for note in notes} >= {
        "the family has no prior to draw samples from",
        "it presumes the prior N(0, I), and vamp_vae has another one",
    }


def test_the_style_sheet_has_every_colour_that_a_figure_names(quick):
    html = (quick[1] / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r"var\((--[\w-]+)\)", html)) - {"--colour"}  # given by the element itself
    light, dark, paper = (set(re.findall(r"(--[\w-]+):", scheme)) for scheme in html.split(":root {")[1:4])
    assert "--family-5" in named
    assert named <= light & dark & paper


def test_the_best_values_are_shaded(make_study):
    params, store = make_study(datasets=("digits",))
    page, _ = report((params, store))
    best = [found for tag, found in page.elements if tag == "td" and found.get("class") == "best"]
    rows = store.scores_table("digits")
    rows = rows[(rows["split"] == "test") & (rows["metric"] == "negative_elbo") & (rows["value"] < math.inf)]
    lowest = rows.groupby(["family", "setting", "untrained"])["value"].mean().min()
    assert any(math.isclose(float(cell["data-value"]), lowest, rel_tol=1e-12) for cell in best)


def test_trials_without_a_score_are_listed_with_their_reason(make_study):
    def ends(trial):
        if trial.family == "vae" and not trial.untrained:
            return ("diverged", "failed")[trial.seed]
        return "missing" if trial.family == "ae" and trial.seed == 1 else "finished"

    page, reports = report(make_study(datasets=("digits",), ends=ends))
    assert "trials finished 25 of 28" in page.text
    assert "the loss was not finite at step 137 of 1,000" in page.text
    assert "failed, 3 attempts RuntimeError: CUDA out of <memory>" in page.text
    assert "it did not run to its end" in page.text
    assert json.loads((reports / "metrics.json").read_text())["digits"]["vae"] == {}


def test_one_seed_has_no_interval(make_study):
    page, _ = report(make_study(datasets=("digits",), seeds=(3,)))
    assert "With one seed there is no interval." in page.text
    assert " ± 0" not in page.text.split("Rate and distortion")[0].split("seeds ± half")[1]


def test_three_seeds_draw_intervals(make_study):
    page, _ = report(make_study(datasets=("digits",), seeds=(0, 1, 2)))
    trace = page.figures["figure-digits-logistic_accuracy-beta_vae"]["data"][1]
    assert all(width > 0 for width in trace["error_y"]["array"])


def test_a_study_of_one_family_without_strength_factors_or_rate(make_study):
    page, reports = report(
        make_study(
            datasets=("dsprites",), families={"ae": {}}, untrained=False, metric_names=("distortion", "mse")
        )
    )
    assert set(page.figures) == {"figure-dsprites-learning-ae"}
    assert pd.read_csv(reports / "rate_distortion.csv").empty


def test_the_files_hold_the_means(quick):
    _, reports = quick
    means = json.loads((reports / "metrics.json").read_text())
    scores = pd.read_csv(reports / "scores.csv")
    rows = scores.query("dataset == 'dsprites' and setting == 'beta_vae beta=4' and metric == 'mig'")
    assert means["dsprites"]["beta_vae beta=4"]["mig"] == pytest.approx(rows["value"].mean(), rel=1e-8)
    assert "rate" not in means["digits"]["ae"]  # it is infinite, and JSON has no infinity
    assert set(scores.columns) == {
        "dataset",
        "family",
        "setting",
        "seed",
        "key",
        "strength",
        "split",
        "metric",
        "value",
    }
    assert set(scores["split"]) == {"train", "test", "all"}
    plane = pd.read_csv(reports / "rate_distortion.csv")
    assert list(plane.columns) == ["dataset", "family", "setting", "strength", "rate", "distortion"]
    assert "ae" not in set(plane["family"])
    learned = pd.read_csv(reports / "learning_curves.csv")
    assert learned["rate"].isna().groupby(learned["family"]).all().to_dict() == {
        family: family == "ae" for family in learned["family"].unique()
    }
    assert set(learned["step"]) == set(range(50, 1001, 50))
    assert learned["capacity"].notna().groupby(learned["family"]).all().to_dict()["annealed_vae"]


def test_two_clones_write_the_same_files(make_study, quick):
    _, reports = quick
    there = make_study()
    # The other clone ran at another time, elsewhere, and wrote its rows in another order.
    params, store = there
    for name in params.datasets:
        store.write_scores_table(name, store.scores_table(name).sample(frac=1, random_state=1))
    for path in (store.root / "runs").rglob("result.json"):
        path.write_text(
            path.read_text().replace("2026-11-20T12", "2027-01-01T03").replace("AMD EPYC", "Other")
        )
    _, others = report(there)
    for name in ("scores.csv", "metrics.json", "rate_distortion.csv", "learning_curves.csv"):
        assert (reports / name).read_bytes() == (others / name).read_bytes(), name


def test_stale_scores_do_not_count(make_study):
    params, store = make_study(datasets=("digits",))
    fewer = params.model_copy(update={"families": {"vae": {}}, "seeds": [0]})
    write(read(fewer, store), store)
    scores = pd.read_csv(store.reports / "scores.csv")
    assert set(scores["setting"]) == {"vae", "untrained"}
    assert set(scores["seed"]) == {0}


@pytest.mark.parametrize(
    ("end", "cure"),
    [("missing", "0 of them are trained. Run: dvc repro"), ("unscored", "Run: dvc repro evaluate")],
)
def test_without_a_score_the_error_says_what_to_run(make_study, end: str, cure: str):
    params, store = make_study(
        datasets=("digits",), ends=lambda trial: "missing" if end == "missing" else "finished"
    )
    if end == "unscored":
        (store.scores("digits") / "scores.parquet").unlink()
    with pytest.raises(UserError, match=cure):
        read(params, store)


def test_a_damaged_table_is_named(make_study):
    params, store = make_study(datasets=("digits",))
    (store.scores("digits") / "scores.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=r"scores\.parquet is damaged"):
        read(params, store)


def test_the_stage_shows_a_user_error_without_a_traceback(tmp_path):
    found = run_stage("report", tmp_path)
    assert found.returncode == 1
    assert "report: params.yaml: there is no such file here" in found.stderr
    assert "Traceback" not in found.stderr


def test_foreign_text_cannot_break_the_page(make_study):
    """The text of a failure may contain HTML."""
    params, store = make_study(
        datasets=("digits",), ends=lambda trial: "failed" if trial.family == "ae" else "finished"
    )
    for path in (store.root / "runs").rglob("failure.json"):
        path.write_text(
            json.dumps({"reason": "</script><script>alert(1)</script>", "detail": "<b>", "attempts": 1})
        )
    page, _ = report((params, store))
    assert "</script><script>alert(1)</script>" in page.text
    assert [tag for tag, _ in page.elements].count("script") == len(page.figures) + 2
