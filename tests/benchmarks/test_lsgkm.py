"""The comparison with LS-GKM: its table on LS-GKM's own test set."""

import re

import pytest

from benchmark_calls import call


@pytest.mark.slow
def test_the_project_agrees_with_ls_gkm(shared_data, tmp_path):
    table = call("lsgkm.py", shared_data / "published" / "lsgkm", "--out", tmp_path / "run")
    rows = {
        name.strip(): [float(cell) for cell in cells.strip("| ").split("|")]
        for name, cells in re.findall(r"^\| ([^|]+) \|(.*[0-9].*)$", table, re.M)
    }
    assert rows["its model, test"][0] < 1e-4
    for name in ("same loss, test", "same loss, cross-validation"):
        difference, correlation, mine, theirs = rows[name]
        assert difference < 1e-3
        assert correlation > 0.99999
        assert mine == pytest.approx(theirs, abs=2e-4)
    # Another loss, so that it ranks alike and scores otherwise.
    assert rows["own machine (squared hinge), cross-validation"][1] > 0.998
