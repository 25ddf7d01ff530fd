"""The scripts that make the package's model, on a table of a few windows."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmark_calls import call, fails
from helpers import MOTIF, random_dna, write_table
from trunk import label_columns
from trunk_card import plain
from wavebind.datasets.dataset import open_dataset
from wavebind.datasets.seen import read_seen
from wavebind.models import load_model
from wavebind.models.prediction import predict_logits

HEADER = "chrom\tstart\tend\tsplit\tMYC:A:norelaxed\tMAX:A\topen:A\tseq"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trunk")
    rng = np.random.default_rng(0)
    rows = []
    for p, part in enumerate(("train", "valid", "test")):
        for i in range(240):
            seq = random_dna(rng, 60)
            if i % 3 == 0:
                seq = seq[:20] + MOTIF + seq[20 + len(MOTIF) :]
            myc = int(i % 3 == 0)
            rows.append(
                (f"chr{p}", 90 * i, 90 * i + 60, part, myc, i % 2, (-1, 1)[i % 4 == 0], seq)
            )
    table = write_table(folder / "t.tsv", rows, HEADER)
    small = ("training.batch_size=64", "options.position_width=16", "options.band_width=8")
    words = (table, "--data", folder / "data", "--out", folder / "run", "--epochs", 3, "--set")
    assert "valid AUROC" in call("trunk.py", *words, *small, "--device", "cpu")
    assert "has ended already" in call("trunk.py", *words, *small)
    return folder, table


@pytest.mark.slow
def test_the_folder_that_is_packed(made):
    folder, _ = made
    call("trunk_card.py", folder / "run", folder / "data", "--out", folder / "packed")
    model, card = load_model(folder / "packed" / "model.safetensors")
    assert card.model.outputs == ("MYC:A", "MAX:A", "open:A")
    data = open_dataset(folder / "data")
    test = data.indices("test")
    logits = predict_logits(model, data.codes, test)
    lines = [x.split("\t") for x in (folder / "packed" / "labels.tsv").read_text().splitlines()]
    assert lines[0][:4] == ["label", "train_bound", "test_bound", "test_unbound"]
    for j, cells in enumerate(lines[1:3]):
        labels = data.targets[test, j]
        assert float(cells[4]) == pytest.approx(roc_auc_score(labels, logits[:, j]), abs=1e-3)
        assert int(cells[2]) == (labels == 1).sum()
        assert float(cells[5]) <= float(cells[4]) <= float(cells[6])
    assert lines[1][10].startswith("no relaxed peak file")
    # No window of this table is unbound in the label of openness.
    assert lines[3][4:8] == ["NA"] * 4
    assert lines[3][8:10] == ["no", "no"]
    assert read_seen(folder / "packed" / "seen.npy").find(data.codes, data.indices("train")).all()


@pytest.mark.slow
def test_labels_of_a_factor_are_left_out(made, tmp_path):
    folder, table = made
    where = ("--data", folder / "data", "--out", tmp_path / "run", "--without")
    message = fails("trunk.py", table, *where, "JUND")
    assert "has no factor 'JUND'; it has" in message
    words = ("--epochs", 1, "--set", "training.batch_size=64", "options.position_width=16")
    call("trunk.py", table, *where, "MYC", *words)
    assert load_model(tmp_path / "run" / "model.safetensors")[1].model.outputs == (
        "MAX:A",
        "open:A",
    )


def test_names_and_notes(tmp_path):
    table = write_table(tmp_path / "t.tsv", [], HEADER)
    assert label_columns(table) == ["MYC:A:norelaxed", "MAX:A", "open:A"]
    assert plain("MYC:A:norelaxed")[0] == "MYC:A"
    assert plain("MAX:A") == ("MAX:A", "")
