"""Motifs set in, shuffled away and paired: against tangermeme on the same model, and by hand."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from helpers import MOTIF, random_dna, write_table
from wavebind.core.errors import InputError, UsageError
from wavebind.datasets.dataset import open_dataset
from wavebind.explain.contributions import to_onehot
from wavebind.explain.motif_effects import EffectOptions, insert_motif
from wavebind.explain.motif_pairs import pair_motifs
from wavebind.explain.perturb import (
    ablate,
    marginalize,
    other_strand,
    read_pattern,
    shuffle_letters,
    space,
    substitute,
)
from wavebind.genome.sequences import to_codes, to_letters
from wavebind.models import load_model
from wavebind.models.prediction import predict_logits


class OneHot(nn.Module):
    """The model as tangermeme calls one: one-hot windows to a column of logits."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        strands = [
            self.model.from_features(self.model.features_of_onehot(one))
            for one in (x.float(), x.float().flip(1, 2))
        ]
        return ((strands[0] + strands[1]) / 2).unsqueeze(1)


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained[0] / "model.safetensors")[0]


@pytest.fixture(scope="module")
def codes():
    rng = np.random.default_rng(2)
    return np.stack([to_codes(random_dna(rng, 48)) for _ in range(12)])


def theirs(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = function(*arguments, device="cpu", **options)
    return [np.asarray(part)[..., 0] for part in found]


@pytest.mark.parametrize("letters", [MOTIF, "CCACNNGGGGGCG", "ACGTA"])
def test_marginalize_is_that_of_tangermeme(model, codes, letters):
    from tangermeme.marginalize import marginalize as reference

    expected = theirs(reference, OneHot(model), to_onehot(torch.from_numpy(codes)), letters)
    found = marginalize(model, codes, letters)
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, other, atol=2e-5)


def test_space_is_that_of_tangermeme(model, codes):
    from tangermeme.space import space as reference

    distances = [0, 1, 7, 20]
    before, after = theirs(
        reference, OneHot(model), to_onehot(torch.from_numpy(codes)), ["CCACCAGG", "GGGCGC"],
        [[d] for d in distances],
    )  # fmt: skip
    found = space(model, codes, "CCACCAGG", "GGGCGC", distances)
    np.testing.assert_allclose(found.none, before.reshape(12, -1)[:, 0], atol=2e-5)
    np.testing.assert_allclose(found.both, after, atol=2e-5)
    start = 48 // 2 - (8 + 7 + 6) // 2
    alone = predict_logits(model, substitute(codes, "GGGCGC", start + 8 + 7), bf16=False)
    np.testing.assert_allclose(found.second[:, 2], alone, atol=1e-6)
    expected = found.both - found.first - found.second + found.none[:, None]
    np.testing.assert_allclose(found.interaction, expected)


def test_ablate_is_that_of_tangermeme(model, codes):
    """Both shuffle the bases of a stretch; their means over many shuffles agree."""
    from tangermeme.ablate import ablate as reference

    held = substitute(codes, MOTIF, 10)
    n = 400
    expected = theirs(
        reference, OneHot(model), to_onehot(torch.from_numpy(held)), 10, 24, n=n, random_state=0
    )
    rng = np.random.default_rng(0)
    starts = np.full(len(held), 10)
    before, after = ablate(model, held, starts, starts + 14, rng, n)
    np.testing.assert_allclose(before, expected[0], atol=2e-5)
    spread = after.std(axis=1) / np.sqrt(n)
    difference = after.mean(axis=1) - expected[1].reshape(len(held), -1).mean(axis=1)
    assert (np.abs(difference) < 6 * spread).all()


def test_a_shuffled_stretch_keeps_its_letters_and_the_rest(codes):
    seen = []

    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            seen.append(x.numpy().copy())
            return torch.zeros(len(x))

    ablate(Watching(), codes[:1], np.array([5]), np.array([15]), np.random.default_rng(0), 30)
    for row in np.concatenate(seen[2::2]):
        np.testing.assert_array_equal(row[:5], codes[0, :5])
        np.testing.assert_array_equal(row[15:], codes[0, 15:])
        np.testing.assert_array_equal(np.sort(row[5:15]), np.sort(codes[0, 5:15]))


def test_letters_and_names(tmp_path):
    assert read_pattern("MA0139.1")[1] == "MA0139.1 CTCF"
    assert read_pattern("acgtn")[0] == "ACGTN"
    assert read_pattern("CTCF")[2].name == "CTCF"
    assert other_strand("ACGGN") == "NCCGT"
    path = tmp_path / "m.meme"
    path.write_text(
        "MEME version 4\n\nALPHABET= ACGT\n\nMOTIF x\nletter-probability matrix: alength= 4 w= 2 "
        "nsites= 10\n0.1 0.7 0.1 0.1\n0 0 0 1\n"
    )
    assert read_pattern(str(path))[0] == "CT"
    rng = np.random.default_rng(0)
    shuffled = shuffle_letters("ACCGT", rng)
    assert sorted(shuffled) == sorted("ACCGT")
    assert shuffled != "ACCGT"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: read_pattern("hello"), "motif 'hello' is neither a MEME file, nor in JASPAR"),
        (lambda: read_pattern("ACG"), "motif 'ACG' is neither"),
        (lambda: shuffle_letters("AAAA", np.random.default_rng(0)), "has one letter alone"),
        (
            lambda: substitute(np.zeros((1, 10), np.uint8), "ACGTACGTACGT"),
            "12 letters from position -1 on do not fit into windows of 10 bp",
        ),
    ],
)
def test_what_cannot_be(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_the_commands_say_what_they_found(run_copy, cli):
    run, data = run_copy
    code, out, err = cli("explain", run, data, "--insert", MOTIF, "--n", 60)
    assert code == 0, err
    place = next((run / "explanations").glob(f"insert-{MOTIF}/*"))
    found = json.loads((place / "effect.json").read_text())
    opened = open_dataset(data)
    test = opened.indices("test")
    unbound = test[opened.labels[test] == 0]
    chosen = np.sort(np.random.default_rng(0).choice(unbound, 60, replace=False))
    model = load_model(run / "model.safetensors")[0]
    before, after = marginalize(model, np.asarray(opened.codes[chosen]), MOTIF)
    assert found["change"]["value"] == pytest.approx((after - before).mean(), abs=1e-5)
    assert found["change"]["low"] < found["change"]["value"] < found["change"]["high"]
    assert f"changes the logit by {found['change']['value']:.2f}" in out
    # Its letters in another order are no motif.
    assert abs(found["control"]["value"]) < 0.2 * found["change"]["value"]
    code, out, err = cli("explain", run, data, "--ablate", "MA0139.1", "--n", 40)
    assert code == 0, err
    place = next((run / "explanations").glob("ablate-MA0139.1/*"))
    found = json.loads((place / "effect.json").read_text())
    assert found["change"]["high"] < 0
    assert abs(found["control"]["value"]) < abs(found["change"]["value"]) / 2
    # A word on what was asked for before, and nothing replaced unasked.
    code, _, err = cli("explain", run, data, "--insert", MOTIF, "--n", 50)
    assert code == 1
    assert "pass --force to replace it" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--insert", "CTCF", "--check"], "are four questions; ask one"),
        (["--pair", "CTCF"], "--pair takes two motifs with a comma between them; found 'CTCF'"),
        (["--insert", "CTCF", "--method", "ism"], "--method is for scores of bases"),
        (["--insert", "CTCF", "--set", "film=true"], "take split, seed and background"),
        (["--set", "background=shuffled"], "the setting background is for --insert and --pair"),
        (["--check", "--set", "signal=x.bw"], "the setting signal is not for --check"),
    ],
)
def test_command_lines_that_contradict_themselves(trained, cli, options, message):
    code, _, err = cli("explain", *trained, *options)
    assert code == 2
    assert message in " ".join(err.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ablate", "ACGTACGT"], "is letters, and hits are those of a matrix; name one"),
        (["--insert", "A" * 10 + "C" * 60], "70 letters from position -11 on do not fit"),
        (["--pair", "CTCF," + "ACGT" * 10], "do not fit beside each other into windows of 48 bp"),
    ],
)
def test_motifs_that_do_not_fit(trained, cli, options, message):
    code, _, err = cli("explain", *trained, *options)
    assert code == 1
    assert message in " ".join(err.split())


def test_one_question_alone(trained):
    from wavebind.api.motif_effects import motif_experiment

    with pytest.raises(UsageError, match="give one of --insert, --ablate and --pair"):
        motif_experiment(*trained)


A, B, APART = "TGACTCA", "CACGTG", 9


def rows_of_pairs(n_each):
    """Bound windows have two motifs so far apart; unbound ones have them at other distances."""
    rng = np.random.default_rng(4)
    rows = []
    for part, chrom in (("train", "chr1"), ("valid", "chr2"), ("test", "chr3")):
        for i in range(n_each):
            for label in (0, 1):
                others = [d for d in range(1, 22) if abs(d - APART) > 1]
                distance = APART if label else int(rng.choice(others))
                pair = A + random_dna(rng, distance) + B
                at = int(rng.integers(0, 48 - len(pair) + 1))
                seq = random_dna(rng, at) + pair + random_dna(rng, 48 - at - len(pair))
                start = 1000 * (2 * i + label)
                rows.append((chrom, start, start + 48, label, part, seq))
    return rows


@pytest.mark.slow
def test_a_planted_spacing_is_found(tmp_path, cli):
    """The curve of a pair peaks at the distance that the bound windows have."""
    cli("dataset", write_table(tmp_path / "t.tsv", rows_of_pairs(1500)), "--out", tmp_path / "d")
    code, _, err = cli(
        "train", tmp_path / "d", "--out", tmp_path / "run", "--epochs", 25, "--set",
        "training.batch_size=64", "--set", "training.max_shift=0", "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    data = open_dataset(tmp_path / "d")
    found, place = pair_motifs(tmp_path / "run", data, A, B, EffectOptions(n=30))
    assert found.best == ("++", APART)
    assert found.low[0, APART] > 0
    table = (place / "curve.tsv").read_text().splitlines()
    assert len(table) == 1 + 4 * len(found.distances)
    code, out, err = cli(
        "explain", tmp_path / "run", tmp_path / "d", "--pair", f"{A},{B}", "--n", 30
    )
    assert code == 0, err
    assert f"do most together {APART} bp apart (++)" in out
    assert (place / "curve.png").stat().st_size > 10_000
    with pytest.raises(InputError, match="has no output 'x'"):
        insert_motif(tmp_path / "run", data, A, EffectOptions(output="x"))


def test_letters_of_codes():
    codes = np.stack([to_codes("ACGTACGT")])
    assert to_letters(substitute(codes, "NTTN")[0]) == "ACGTTCGT"
    assert to_letters(substitute(codes, "GG", 6)[0]) == "ACGTACGG"
