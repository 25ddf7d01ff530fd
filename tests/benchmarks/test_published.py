"""The page of others' benchmarks, from small files of the same kind."""

import gzip
import json

import numpy as np
import pytest
from scipy.special import logit
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from benchmark_calls import call
from helpers import planted_rows
from wavebind.datasets.dataset import open_dataset


@pytest.fixture
def folder(tmp_path):
    """GUE's tf_0 and FastSK's TP53, each with a motif; two test windows are in train."""
    for kind in ("gue", "fastsk"):
        (tmp_path / "sets" / kind).mkdir(parents=True)
    rows = {
        p: [(r[5], r[3]) for r in planted_rows(60) if r[4] == p] for p in ("train", "valid", "test")
    }
    rows["test"] += rows["train"][:2]
    for part, name in (("train", "train"), ("valid", "dev"), ("test", "test")):
        text = "sequence,label\n" + "".join(f"{s},{y}\n" for s, y in rows[part])
        path = tmp_path / "sets" / "gue" / f"tf_0_{name}.csv.gz"
        path.write_bytes(gzip.compress(text.encode()))
    for part in ("train", "test"):
        text = "".join(f">{y}\n{s}\n" for s, y in rows[part])
        path = tmp_path / "sets" / "fastsk" / f"TP53.{part}.fasta.gz"
        path.write_bytes(gzip.compress(text.encode()))
    return tmp_path / "sets"


@pytest.mark.slow
def test_figures_and_page(folder, tmp_path):
    out = call(
        "published.py", folder, "--out", tmp_path / "out", "--sets", "tf_0", "TP53", "--models",
        "jaspar:MA0139.1,kmers", "--means", "jaspar:MA0139.1+kmers", "--seeds", 1, "--page",
        tmp_path / "page.md",
    )  # fmt: skip
    assert out.count("\n") == 8
    found = json.loads((tmp_path / "out" / "tf_0.json").read_text())
    assert found["windows"]["test"] == {"bound": 61, "unbound": 61}
    assert found["n_sharing"] == 2
    entry = found["all"]["jaspar:MA0139.1"]
    assert entry["n_windows"] == 122
    assert found["apart"]["jaspar:MA0139.1"]["n_windows"] == 120
    # Against scikit-learn, from what the comparison kept of each window.
    import pyarrow.parquet as pq

    table = pq.read_table(tmp_path / "out" / "tf_0" / "windows.parquet").to_pandas()
    scores = table["jaspar:MA0139.1"].to_numpy()
    data = open_dataset(tmp_path / "out" / "data" / "tf_0")
    labels = data.labels[data.indices("test")]
    assert entry["auroc"]["value"] == pytest.approx(roc_auc_score(labels, scores))
    # The mean row: log-odds of both models' probabilities, added up.
    both = found["all"]["mean of jaspar:MA0139.1 and kmers"]
    joined = sum(logit(table[n].to_numpy()) for n in ("jaspar:MA0139.1", "kmers"))
    assert both["auroc"]["value"] == pytest.approx(roc_auc_score(labels, joined))
    levels = np.unique(scores)
    possible = [matthews_corrcoef(labels, scores >= level) for level in levels]
    assert np.abs(np.array(possible) - entry["mcc"]["value"]).min() < 1e-9
    assert "## [GUE, human](page-gue-human.md)" in (tmp_path / "page.md").read_text()
    page = "".join(
        (tmp_path / f"page-{name}.md").read_text() for name in ("gue-human", "fastsk-more")
    )
    assert "## tf_0" in page
    assert "| *DNABERT-2, published* | 72 | - | - | - | - | - | - |" in page
    assert "| *FastSK, published* | 0.824 | - | - | - | - | - | - |" in page
    value = f"{100 * entry['mcc']['value']:.1f} ("
    assert f"| jaspar:MA0139.1 | {value}" in page
