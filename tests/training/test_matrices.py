"""Matrices that training windows choose: planted sites, weights by hand, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from helpers import random_dna, write_table
from wavebind.core.errors import InputError
from wavebind.core.events import StageStarted
from wavebind.datasets.dataset import open_dataset
from wavebind.models import ModelConfig, build_model, load_model
from wavebind.models.matrixparts import matrix_logits
from wavebind.models.prediction import predict_logits
from wavebind.motifs.jaspar import all_motifs
from wavebind.motifs.pwms import best_hits
from wavebind.training.config import TrainingConfig
from wavebind.training.matrices import (
    beside_matrices,
    matrices_words,
    no_matrices,
    weight_beside,
)
from wavebind.training.starting import from_scratch, settled_training

OPTIONS = {"stem_kernel": 9, "pool": 4, "band_width": 8, "position_width": 12, "position_blocks": 1}
NETWORK = ModelConfig(60, front="signal", options=OPTIONS)
SITE = "CCACCAGGGGGCGCTA"  # Of CTCF.


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    from wavebind.cli.main import run as run_cli

    folder = tmp_path_factory.mktemp("matrices")
    rng = np.random.default_rng(1)
    rows = []
    for part in ("train", "valid", "test"):
        for i in range(120):
            seq, at = random_dna(rng, 60), int(rng.integers(0, 40))
            if i % 3 == 0:
                seq = seq[:at] + SITE + seq[at + len(SITE) :]
            rows.append((seq, str(int(i % 3 == 0)), part))
    table = write_table(folder / "t.tsv", rows, "seq\tlabel\tsplit")
    assert run_cli(["dataset", str(table), "--out", str(folder / "data")]) == 0
    return folder / "data"


def network():
    import torch

    return build_model(NETWORK, torch.Generator().manual_seed(3)).eval()


CONFIG = TrainingConfig(matrices=8, seed=1, unbound_ratio=1.5)


def test_they_find_the_planted_sites(data):
    opened = open_dataset(data)
    events = []
    before, model = network(), beside_matrices(network(), CONFIG, opened, events.append)
    assert events[0] == StageStarted("trying the matrices of JASPAR", 120)
    assert sum(event.n for event in events[1:]) == 120
    names = model.config.matrices
    assert len(names) == 8
    assert any(name.endswith(("CTCF", "CTCFL")) for name in names)
    test = opened.indices("test")
    found = predict_logits(model, opened.codes, test)
    # Two thirds of it are the network, which is not trained.
    assert roc_auc_score(opened.labels[test], found) > 0.7
    theirs = matrix_logits(model, opened.codes, test).sum(axis=1)
    assert roc_auc_score(opened.labels[test], theirs) > 0.95
    assert roc_auc_score(opened.labels[test], predict_logits(before, opened.codes, test)) < 0.65
    assert matrices_words(model, opened).startswith(
        "8 matrices of JASPAR, chosen on the training windows, add to the network's logit; most: "
    )


def test_weights_are_those_of_two_regressions(data):
    opened = open_dataset(data)
    model = beside_matrices(network(), CONFIG, opened)
    rows = opened.indices("train")
    labels = opened.labels[rows]
    motifs = [motif for motif in all_motifs() if motif.width <= 40]
    scores = best_hits(opened.codes[rows], motifs).score
    every = LogisticRegression(C=1e-3, max_iter=1000).fit(
        StandardScaler().fit_transform(scores), labels
    )
    chosen = np.argsort(-np.abs(every.coef_[0]), kind="stable")[:8]
    assert set(model.config.matrices) == {motifs[j].label for j in chosen}
    scaler = StandardScaler().fit(scores[:, chosen])
    fitted = LogisticRegression(C=1e-2, max_iter=1000).fit(
        scaler.transform(scores[:, chosen]), labels
    )
    valid = opened.indices("valid")
    mine = [motifs[j] for j in chosen]
    theirs = fitted.decision_function(scaler.transform(best_hits(opened.codes[valid], mine).score))
    own = predict_logits(network(), opened.codes, valid)
    # 40 bound training windows: the matrices spread half as far.
    expected = own + 0.5 * theirs * own.std() / theirs.std()
    found = predict_logits(model, opened.codes, valid)
    np.testing.assert_allclose(found - found.mean(), expected - expected.mean(), atol=2e-3)
    added = matrix_logits(model, opened.codes, valid)
    assert added.shape == (len(valid), 8)
    assert added.sum(axis=1).std() == pytest.approx(0.5 * own.std(), rel=1e-3)


@pytest.mark.parametrize(
    ("n_bound", "weight"), [(0, 0.5), (50, 0.5), (200, 0.5), (800, 0.25), (5000, 0.1)]
)
def test_they_count_less_where_windows_are_many(n_bound, weight):
    assert weight_beside(n_bound) == pytest.approx(weight)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"task": "regression"}, "they are for bound and unbound windows"),
        ({"outputs": ("a", "b")}, "they are for bound and unbound windows"),
        ({"front": "wavelets", "length": 200}, "they read the one-hot window"),
        ({"networks": 2}, "they stand beside one network"),
        ({"backbone": "resnet50", "options": {}}, "resnet50 reads windows on another scale"),
    ],
)
def test_what_they_can_stand_beside(change, reason):
    found = no_matrices(replace(NETWORK, **change))
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_few_windows_take_them_unless_somebody_says_otherwise(data):
    opened = open_dataset(data)

    def settled(model=NETWORK, recipe=None, **given):
        return settled_training(model, recipe or {}, {"start": "none", **given}, opened)[1]

    config = settled()
    assert (config.matrices, config.batch_size, config.epochs) == (16, 32, 30)
    assert settled(recipe={"batch_size": 16}).batch_size == 16
    assert settled(matrices=0).matrices == 0
    assert settled(replace(NETWORK, length=200, front="wavelets")).matrices == 0
    assert settled(shuffle_labels=True).matrices == 0
    assert settled(crossfit=3).matrices == 0
    assert from_scratch(NETWORK, 2000) == {}
    assert from_scratch(replace(NETWORK, task="regression"), 100) == {}
    assert from_scratch(replace(NETWORK, backbone="cnn", options={}), 100) == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"crossfit": 3}, "not beside a mean of several"),
        ({"shuffle_labels": True}, "true labels choose them, and the labels are shuffled"),
    ],
)
def test_asked_for_where_they_cannot_stand(data, given, words):
    with pytest.raises(InputError, match=words):
        settled_training(NETWORK, {}, {"start": "none", "matrices": 8, **given}, open_dataset(data))
    wavelets = replace(NETWORK, length=200, front="wavelets")
    with pytest.raises(InputError, match=r"matrices cannot stand beside this network: they read"):
        settled_training(wavelets, {}, {"start": "none", "matrices": 8}, open_dataset(data))
    with pytest.raises(InputError, match=r"matrices cannot stand beside this network: they read"):
        settled_training(wavelets, {"matrices": 8}, {"start": "none"}, open_dataset(data))


def test_train_says_so_and_another_training_begins_without_them(data, cli, tmp_path):
    words = ["--epochs", 2, "--set", "training.start=none", "--seed", 1]
    code, _, err = cli("train", data, *words, "--out", tmp_path / "one")
    assert code == 0
    assert "16 matrices of JASPAR, chosen on the training windows, add to the network's" in err
    model, card = load_model(tmp_path / "one" / "model.safetensors")
    assert len(card.model.matrices) == 16
    opened = open_dataset(data)
    valid = opened.indices("valid")
    auroc = roc_auc_score(opened.labels[valid], predict_logits(model, opened.codes, valid))
    # What is stored is of the whole, not of the network alone.
    assert card.valid["auroc"] == pytest.approx(auroc, abs=1e-6)
    code, _, err = cli("evaluate", tmp_path / "one", data, "--split", "valid")
    assert code == 0
    code, _, err = cli("explain", tmp_path / "one", data, "--n", 3)
    assert code == 0
    (table,) = (tmp_path / "one").rglob("matrices.tsv")
    assert cli("evaluate", tmp_path / "one", data)[0] == 0
    assert cli("report", tmp_path / "one")[0] == 0
    page = (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    assert "16 matrices of JASPAR CORE (Rauluseviciute et al. 2024), chosen on the" in page
    assert f"({', '.join(name.split()[0] for name in card.model.matrices)})" in page
    parts = pd.read_csv(table, sep="\t")
    assert len(parts) == 3 * 16
    rows = opened.indices("test")
    row = rows[list(opened.names(rows)).index(parts["name"][0])]
    mine = {motif.label: motif for motif in all_motifs()}
    hits = best_hits(opened.codes[[row]], [mine[name] for name in parts["matrix"][:16]])
    np.testing.assert_allclose(parts["best_hit"][:16], hits.score[0], atol=1e-3)
    assert parts.groupby("matrix")["added"].mean().abs().max() < 1e-3
    assert parts["added"].abs().max() > 0
    code, _, err = cli(
        "train", data, "--start", tmp_path / "one", "--epochs", 1, "--set",
        "training.matrices=4", "--out", tmp_path / "two",
    )  # fmt: skip
    assert code == 0, err
    assert "4 matrices of JASPAR" in err
    assert len(load_model(tmp_path / "two" / "model.safetensors")[1].model.matrices) == 4
    code, _, err = cli(
        "train", data, "--start", "factors+none", "--set", "training.matrices=4", "--out",
        tmp_path / "three",
    )  # fmt: skip
    assert code == 1
    assert "matrices stand beside one network, not beside a mean of several; leave" in err


@pytest.mark.parametrize(
    ("most", "n", "n_bound"),
    # Of 40 bound and 80 others: all bound ones and some others, half of each, all others.
    [(100, 100, 40), (50, 50, 25), (200, 120, 40)],
)
def test_of_many_windows_both_kinds_are_read(data, monkeypatch, most, n, n_bound):
    import wavebind.training.matrices as module

    opened = open_dataset(data)
    monkeypatch.setattr(module, "_MOST_WINDOWS", most)
    seen = []
    monkeypatch.setattr(
        module, "_chosen", lambda codes, labels, n, _: (seen.append(labels), all_motifs()[:n])[1]
    )
    beside_matrices(network(), CONFIG, opened)
    assert (len(seen[0]), int(seen[0].sum())) == (n, n_bound)
