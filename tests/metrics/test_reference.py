"""`harness` names every case of the reference scores, and gives a reason for each score that is missing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.metrics.harness import NO_INTERVENTIONS, REFERENCE

OF_EVERY_CASE = {"mig", "modularity_explicitness", "sap_discrete", "sap_continuous", "irs", "unsupervised"}
INTERVENTIONS = {"beta_vae", "factor_vae"}


def test_the_cases_are_those_of_the_folder(shared: Path) -> None:
    folder = shared / "reference" / "metrics"
    for suffix in ("json", "npz"):
        assert {path.stem for path in folder.glob(f"*.{suffix}")} == set(REFERENCE)


def test_every_case_has_every_score_but_for_what_is_named(shared: Path) -> None:
    """Where this fails, the reference has grown: let the test of that metric compare the new score."""
    for case in REFERENCE:
        scores = json.loads((shared / "reference" / "metrics" / f"{case}.json").read_text())["scores"]
        rows = "10000_5000" if case == "trained" else "4000_2000"
        interventions = set() if case in NO_INTERVENTIONS else INTERVENTIONS
        assert set(scores) == OF_EVERY_CASE | interventions | {f"dci_gbt_{rows}"}, case
