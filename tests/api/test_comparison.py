"""Models compared from Python."""

import pandas as pd
import pytest

import wavebind as wb
from helpers import planted_rows, write_table
from wavebind.core.errors import InputError


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    table = write_table(folder / "windows.tsv", planted_rows(60))
    return wb.make_dataset(table, out=folder / "data")


@pytest.mark.slow
def test_a_table_with_paired_intervals(data, tmp_path):
    found = wb.compare(data, models=["jaspar:CTCF", "kmers"], out=tmp_path / "c")
    frame = found.to_frame().set_index("model")
    assert set(frame.index) == {"jaspar:CTCF", "kmers"}
    written = pd.read_csv(tmp_path / "c" / "comparison.tsv", sep="\t").set_index("model")
    for name in frame.index:
        assert frame.loc[name, "auroc"] == pytest.approx(written.loc[name, "auroc"], abs=1e-4)
        assert found[name]["auroc"].value == frame.loc[name, "auroc"]
    # A model is behind itself by nothing.
    assert (frame["behind_auroc"] == 0).any()
    assert found.page.is_file()
    assert f"{frame.loc['kmers', 'auroc']:.4f}" in found._repr_html_()
    assert "kmers" in repr(found)
    with pytest.raises(InputError, match="model 'none' was not compared; choose one of"):
        found["none"]
