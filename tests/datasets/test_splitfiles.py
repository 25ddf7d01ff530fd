"""Files of a split that someone else has made: CSV, FASTA with labels, FASTA of one class."""

from __future__ import annotations

import csv
import gzip
import json

import numpy as np
import pytest

from helpers import planted_rows, random_dna
from wavebind.api import windows as api_windows
from wavebind.core.errors import InputError, UsageError
from wavebind.datasets.columns import column_names, row_cells
from wavebind.datasets.dataset import open_dataset
from wavebind.datasets.splitfiles import SplitFile, draw_valid, read_split_files
from wavebind.genome.sequences import to_letters

ROWS = planted_rows(12)


def of(part):
    return [(seq, label) for _, _, _, label, mine, seq in ROWS if mine == part]


def write_csv(path, rows, header="sequence,label"):
    text = header + "\n" + "".join(f"{seq},{label}\n" for seq, label in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def write_fasta(path, rows, header="{label}"):
    names = [header.format(label=label, i=i) for i, (_, label) in enumerate(rows)]
    path.write_text("".join(f">{n}\n{seq}\n" for n, (seq, _) in zip(names, rows, strict=True)))
    return path


def contents(data):
    return sorted(
        (str(part), to_letters(codes), int(label))
        for part, codes, label in zip(data.parts, data.codes, data.labels, strict=True)
    )


EXPECTED = sorted((part, seq, label) for _, _, _, label, part, seq in ROWS)


def test_tables_with_commas_for_each_part(tmp_path, cli):
    for part in ("train", "valid", "test"):
        write_csv(tmp_path / f"{part}.csv.gz", of(part))
    code, out, err = cli(
        "dataset", tmp_path / "train.csv.gz", "--valid", tmp_path / "valid.csv.gz", "--test",
        tmp_path / "test.csv.gz", "--out", tmp_path / "d",
    )  # fmt: skip
    assert code == 0, err
    assert contents(open_dataset(tmp_path / "d")) == EXPECTED
    assert "test            12        12" in out


@pytest.mark.parametrize("header", ["{label}", "w{i} {label}", "w|{label}", "w label={label}"])
def test_fasta_with_the_label_in_its_header(tmp_path, header):
    files = [
        SplitFile(write_fasta(tmp_path / f"{part}.fa", of(part), header), part)
        for part in ("test", "valid", "train")
    ]
    found = [(w.part, to_letters(w.codes), w.label) for w in read_split_files(files)]
    assert sorted(found) == EXPECTED
    assert [part for part, _, _ in found] == [*["train"] * 24, *["valid"] * 24, *["test"] * 24]


def test_a_file_a_class(tmp_path, cli):
    values = []
    for part, prefix in (("train", ""), ("valid", "valid_"), ("test", "test_")):
        for label, name in ((1, "positives"), (0, "negatives")):
            path = tmp_path / f"{part}{label}.fa"
            write_fasta(path, [row for row in of(part) if row[1] == label], "any{i}")
            values += ["--set", f"{prefix}{name}={path}"]
    code, _, err = cli("dataset", *values, "--out", tmp_path / "d")
    assert code == 0, err
    assert contents(open_dataset(tmp_path / "d")) == EXPECTED


def test_without_valid_a_tenth_of_each_class_is_drawn(tmp_path, cli):
    rng = np.random.default_rng(4)
    rows = [(random_dna(rng, 40), int(i % 3 == 0)) for i in range(300)]
    train = write_csv(tmp_path / "train.csv", rows)
    test = write_csv(tmp_path / "test.csv", [(random_dna(rng, 40), i % 2) for i in range(20)])
    drawn = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        code, _, err = cli(
            "dataset", train, "--test", test, "--seed", seed, "--out", tmp_path / name
        )
        assert code == 0
        assert (
            f"no file of valid windows: 30 training windows, a tenth of each class drawn with "
            f"seed {seed}, are valid" in err
        )
        data = open_dataset(tmp_path / name)
        valid = data.indices("valid")
        assert (len(valid), int(data.labels[valid].sum())) == (30, 10)
        drawn[name] = {to_letters(codes) for codes in data.codes[valid]}
        assert drawn[name] < {seq for seq, _ in rows}
    assert drawn["a"] == drawn["b"] != drawn["c"]


def test_test_windows_are_kept_whatever_train_holds(tmp_path, cli):
    train, test = of("train"), of("test")
    shared = [train[0], train[3], train[3]]
    cli(
        "dataset", write_csv(tmp_path / "a.csv", [*train, train[1]]), "--valid",
        write_csv(tmp_path / "b.csv", [*of("valid"), train[2]]), "--test",
        write_csv(tmp_path / "c.csv", [*test, *shared]), "--out", tmp_path / "d",
    )  # fmt: skip
    data = open_dataset(tmp_path / "d")
    found = [to_letters(codes) for codes in data.codes[data.indices("test")]]
    assert sorted(found) == sorted(seq for seq, _ in [*test, *shared])
    # Of the others one was there twice in train, and one in train and in valid.
    assert sum(data.description["dropped"].values()) == 2


def test_metrics_without_the_windows_that_are_in_train(tmp_path, run_copy, cli):
    """Every metric again, on the windows that share no 40-mer, equals that of those alone."""
    run, _ = run_copy
    rows = planted_rows(150)
    parts = {p: [(r[5], r[3]) for r in rows if r[4] == p] for p in ("train", "valid", "test")}
    mixed = [*parts["test"][:80], *parts["train"][:20]]
    for name, test in (("mixed", mixed), ("apart", parts["test"][:80])):
        arguments = [
            write_csv(tmp_path / f"{part}.csv", rows)
            for part, rows in {**parts, "test": test}.items()
        ]
        cli(
            "dataset", arguments[0], "--valid", arguments[1], "--test", arguments[2], "--out",
            tmp_path / name,
        )  # fmt: skip
        code, out, err = cli("evaluate", run, tmp_path / name)
        assert code == 0, err
        if name == "mixed":
            assert "(without the 20 windows that share a 40-mer with train)" in out
            found = metrics_of_data(run, "mixed")
            assert found["leakage"]["n_sharing"] == 20
            rest = found["without_shared"]
            assert (rest["k"], rest["n_windows"], rest["n_bound"]) == (40, 80, 40)
        else:
            alone = metrics_of_data(run, "apart")
            assert alone["without_shared"] is None
    for metric in ("auroc", "auprc", "mcc", "f1", "accuracy"):
        assert rest[metric]["value"] == pytest.approx(alone[metric]["value"], abs=1e-12)


def metrics_of_data(run, name):
    (path,) = (p for p in (run / "evaluations").iterdir() if p.name.startswith(name))
    return json.loads((path / "metrics.json").read_text())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (">a\nACGT\n", "line 1: the header 'a' does not end in a label; write it as the header"),
        (">a 1\nACGT\n>b 2\nACGT\n", "line 3: the header 'b 2' does not end in a label"),
        ("sequence,label\nACGT,1,3\n", "line 2: found 3 comma-separated columns; the first line"),
        ("sequence,label\nACGT,yes\n", "line 2: label 'yes' is not 1 .bound. or 0 .unbound."),
        ('sequence,label\n"ACGT,1\n', "line 2: the double quotes do not match"),
        ("sequence,klass\nACGT,1\n", "line 1: column label missing"),
    ],
)
def test_files_that_break_a_rule(tmp_path, text, message):
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        list(read_split_files([SplitFile(path, "train")]))


def test_cells_in_quotes():
    assert row_cells('a,"b,c","d""e"', ",", "x") == next(csv.reader(['a,"b,c","d""e"']))
    assert column_names("#sequence\tseq\tBound") == (["sequence", "seq", "label"], "\t")


def test_too_few_windows_to_draw_from(tmp_path):
    path = write_csv(tmp_path / "t.csv", [("ACGT", 1), ("AACC", 0), ("AAAA", 0)])
    with pytest.raises(InputError, match=r"t.csv: 1 bound training windows are too few"):
        draw_valid([SplitFile(path, "train")], 0)


def test_fasta_of_one_class_that_is_a_table(tmp_path):
    path = write_csv(tmp_path / "t.csv", of("train"))
    with pytest.raises(InputError, match="is not FASTA; give tables as FILE"):
        list(read_split_files([SplitFile(path, "train", 1)]))
    fasta = write_fasta(tmp_path / "t.fa", of("train"))
    with pytest.raises(InputError, match="is FASTA, whose records have one label"):
        list(read_split_files([SplitFile(fasta, "train")], ("a", "b")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["a.csv", "--valid", "b.csv"], "--valid needs a --test"),
        (["--test", "b.csv"], "need some of training windows, too"),
        (
            ["a.csv", "--test", "b.csv", "--set", "valid_positives=c.fa"],
            "valid_positives and valid_negatives belong together",
        ),
        (
            ["a.csv", "--test", "b.csv", "--set", "split.test=1", "--set", "split.valid=2"],
            "are a split; leave out split.test",
        ),
        (["--peaks", "p.bed", "--genome", "g.fa", "--test", "b"], "give either --peaks, or"),
        (["a.csv", "--set", "top=5"], "the settings top, exclude"),
    ],
)
def test_command_lines_that_contradict_themselves(cli, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = cli("dataset", *options, "--out", "d")
    assert (code, message in " ".join(err.split())) == (2, True), err


def test_a_table_in_memory_and_a_file():
    with pytest.raises(UsageError, match="training windows are files, too"):
        api_windows.split_files(
            ["ACGT"], {"valid": [], "test": ["x.csv"]}, api_windows.DatasetSettings(), False
        )


def test_classes_from_files_of_a_split(tmp_path, cli):
    rng = np.random.default_rng(0)
    for name in ("train", "valid", "test"):
        rows = [(random_dna(rng, 30), ("ctcf", "ap1", "unbound")[i % 3]) for i in range(30)]
        write_csv(tmp_path / f"{name}.csv", rows, "seq,factor")
    code, _, err = cli(
        "dataset", tmp_path / "train.csv", "--valid", tmp_path / "valid.csv", "--test",
        tmp_path / "test.csv", "--target", "factor", "--out", tmp_path / "d",
    )  # fmt: skip
    assert code == 0, err
    assert open_dataset(tmp_path / "d").outputs == ("ap1", "ctcf", "unbound")


def test_the_published_sets(shared_data, tmp_path, cli):
    """FastSK's and DeepBind's kinds of file, and a test that keeps all its windows."""
    folder = shared_data / "published" / "fastsk"
    code, _, err = cli(
        "dataset", folder / "TP53.train.fasta.gz", "--test", folder / "TP53.test.fasta.gz", "--out",
        tmp_path / "d",
    )  # fmt: skip
    assert code == 0, err
    data = open_dataset(tmp_path / "d")
    test = data.labels[data.indices("test")]
    assert (len(test), int(test.sum())) == (494, 247)


def test_deepbinds_columns(tmp_path):
    path = tmp_path / "x.seq"
    path.write_text("FoldID\tEventID\tseq\tBound\nA\tpeak1\tACGT\t1\nA\tpeak2\tAACC\t0\n")
    found = [(to_letters(w.codes), w.label) for w in read_split_files([SplitFile(path, "test")])]
    assert found == [("ACGT", 1), ("AACC", 0)]
