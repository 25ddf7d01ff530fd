import json
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from helpers import planted_rows, write_table
from wavebind.datasets.audit import best_shortcut, shortcuts
from wavebind.datasets.dataset import open_dataset
from wavebind.datasets.tables import LabelledWindow
from wavebind.datasets.writing import write_dataset
from wavebind.genome.composition import cpg_fraction, dinucleotide_frequencies
from wavebind.genome.sequences import gc_fraction, reverse_complement, to_codes


def test_dinucleotides_against_a_loop():
    rng = np.random.default_rng(0)
    windows = rng.integers(0, 5, (20, 30), dtype=np.uint8)
    found = dinucleotide_frequencies(windows)
    for row, codes in zip(found, windows, strict=True):
        counts = np.zeros(16)
        for strand in (codes, reverse_complement(codes)):
            for a, b in pairwise(strand):
                if a < 4 and b < 4:
                    counts[4 * a + b] += 1
        np.testing.assert_allclose(row, counts / max(counts.sum(), 1))
    other = dinucleotide_frequencies(reverse_complement(windows))
    np.testing.assert_allclose(found, other)


def test_cpg_fraction():
    assert cpg_fraction(np.stack([to_codes("ACGCGT")])).tolist() == [2 / 5]


def make(folder, gc, n=900):
    rng = np.random.default_rng(0)

    def windows():
        for i in range(n):
            label, part = i % 2, ("train", "valid", "test")[i % 3]
            p = gc[label]
            codes = rng.choice(4, 60, p=[(1 - p) / 2, p / 2, p / 2, (1 - p) / 2]).astype(np.uint8)
            yield LabelledWindow(codes, label, part, "chr1", 100 * i, 100 * i + 60, "x")

    write_dataset(windows(), folder)
    return open_dataset(folder)


@pytest.mark.parametrize("gc", [(0.4, 0.6), (0.6, 0.4)])
def test_a_gc_bias_is_seen_in_either_direction(tmp_path, gc):
    data = make(tmp_path / "d", gc)
    test = data.indices("test")
    found, _ = shortcuts(data, test, np.random.default_rng(0))
    sign = 1 if gc[1] > gc[0] else -1
    expected = roc_auc_score(data.labels[test], sign * gc_fraction(data.codes[test]))
    assert found["gc"].value == pytest.approx(expected)
    assert found["gc"].low > 0.9
    assert best_shortcut(found)[1].value >= found["gc"].value


def test_without_a_bias_no_shortcut_helps(tmp_path):
    data = make(tmp_path / "d", (0.5, 0.5), n=9000)
    found, _ = shortcuts(data, data.indices("test"), np.random.default_rng(0))
    for estimate in found.values():
        assert abs(estimate.value - 0.5) < 0.04


def with_windows(folder, change, n=900):
    """A set without any bias, changed window by window."""
    rng = np.random.default_rng(1)

    def windows():
        for i in range(n):
            label, part = i % 2, ("train", "valid", "test")[i % 3]
            fields = {
                "codes": rng.integers(0, 4, 60, dtype=np.uint8),
                "label": label,
                "part": part,
                "chrom": f"chr{i % 3}",
                "start": 100 * i,
                "end": 100 * i + 60,
                "place": "x",
                "repeat": 0.0,
            }
            yield LabelledWindow(**{**fields, **change(i, label, fields["codes"])})

    write_dataset(windows(), folder / "d")
    return folder / "d"


def pad(codes, n):
    codes[-n:] = 4
    return codes


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (
            "unknown",
            lambda i, label, codes: {"codes": pad(codes, 1 + i % 3) if label else codes},
            "could go far with the fraction of unknown bases (N): alone it reaches an AUROC of "
            "1.000 (1.000-1.000); take both classes from the same genome",
        ),
        (
            "length",
            lambda i, label, codes: {"end": 100 * i + (60 if label else 50)},
            "could go far with the window length: alone it reaches an AUROC of 1.000 "
            "(1.000-1.000); cut all windows to one length",
        ),
        (
            "repeat",
            lambda i, label, codes: {"repeat": 0.9 - 0.5 * label + 0.3 * (i % 7 == 0)},
            "could go far with the fraction of soft-masked bases (repeats)",
        ),
        (
            "position",
            lambda i, label, codes: {
                "start": 10 * i + 50_000 * label,
                "end": 10 * i + 50_000 * label + 60,
            },
            "could go far with the position on the chromosome (spline): alone it reaches an "
            "AUROC of 1.000 (1.000-1.000); --background flank lies beside the peaks",
        ),
    ],
)
def test_what_a_model_could_cheat_with_is_named(cli, tmp_path, name, change, words):
    data = with_windows(tmp_path, change)
    code, out, err = cli("audit", data)
    assert code == 0, err
    assert words in out
    found = json.loads((data / "audit.json").read_text())
    assert found["best_shortcut"]["name"] == name
    assert found["shortcuts"][name]["n_windows"] == 300
    others = {k: v["value"] for k, v in found["shortcuts"].items() if k != name}
    assert all(abs(v - 0.5) < 0.12 for v in others.values()), others


def test_nothing_to_cheat_with(cli, tmp_path):
    code, out, _ = cli("audit", with_windows(tmp_path, lambda *_: {}), "--split", "valid")
    assert code == 0
    assert "audit of the valid split, 300 windows, 150 bound" in out
    assert "No valid window overlaps a training window" in out
    assert "not measured: no sequence is soft-masked" in out
    _, out, _ = cli("audit", tmp_path / "d", "--split", "train")
    assert "training window" not in out


def test_windows_without_a_place_are_left_out_of_what_needs_one(tmp_path):
    def change(i, label, codes):
        return {} if label else {"start": -1, "end": -1, "repeat": float("nan")}

    data = open_dataset(with_windows(tmp_path, change))
    found, skipped = shortcuts(data, data.indices("test"), np.random.default_rng(0))
    assert skipped["position"] == "it is not known for both classes"
    assert found["length"].value == 0.5


def test_a_test_window_that_was_trained_on_is_told(cli, tmp_path):
    kept = {}

    def change(i, label, codes):
        kept[i] = codes
        if i == 8:  # one base less than the same, and on another chromosome
            return {"codes": np.r_[kept[6][1:], codes[:1]]}
        return {"chrom": "chr0", "start": 930, "end": 990} if i == 11 else {}

    _, out, _ = cli("audit", with_windows(tmp_path, change))
    assert (
        "1 of 300 test windows (0.3%) share a 40-mer with training windows, 1 (0.3%) at least half "
        "of their 24-mers, and 1 (0.3%) overlap one (the first: chr2:800-860, chr0:930-990); a "
        "model can know these by heart. Split by chromosome or with --set split.blocks=true" in out
    )


def test_a_duplicated_test_window_is_left_out_and_counted(cli, tmp_path, table):
    lines = table.read_text().splitlines()
    test = next(line for line in lines if "\ttest\t" in line).split("\t")
    train = next(line for line in lines if "\ttrain\t" in line and line.split("\t")[3] == test[3])
    table.write_text("\n".join([*lines, "\t".join([*test[:5], train.split("\t")[5]])]) + "\n")
    code, out, _ = cli("dataset", table, "--out", tmp_path / "d")
    assert code == 0
    assert "dropped: 1 (same sequence (either strand) as an earlier window of its class)" in out


def test_repeats_of_a_soft_masked_table_are_seen(cli, tmp_path):
    rows = [
        (*row[:5], row[5].lower() if row[3] and i % 3 else row[5])
        for i, row in enumerate(planted_rows(40))
    ]
    code, out, err = cli("dataset", write_table(tmp_path / "t.tsv", rows), "--out", tmp_path / "d")
    assert code == 0, err
    found = json.loads((tmp_path / "d" / "audit.json").read_text())
    assert found["shortcuts"]["repeat"]["value"] > 0.75
    assert "fraction of soft-masked bases" in out
