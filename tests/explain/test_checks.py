import json
import shutil

import numpy as np
import pytest
import torch

from helpers import LENGTH, MOTIF, only_result, planted_windows
from wavebind.cli.main import run as run_cli
from wavebind.core.errors import InputError
from wavebind.explain import checks as checks
from wavebind.explain.checks import (
    Sites,
    faithfulness,
    find_sites,
    known_sites,
    randomised_weights,
    tracking,
)
from wavebind.models import load_model
from wavebind.models.prediction import predict_logits
from wavebind.models.results import CHECKS, EXPLANATIONS
from wavebind.motifs.jaspar import find_motif
from wavebind.motifs.pwms import best_hits

CTCF = find_motif("MA0139.2")


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained[0] / "model.safetensors")[0]


@pytest.fixture(scope="module")
def planted():
    codes, starts = planted_windows(24)
    return codes, Sites(np.arange(24), starts, starts + len(MOTIF))


def test_sites_are_the_best_hits(planted):
    codes, expected = planted
    found = find_sites(codes, CTCF)
    assert len(found.window) > 15
    hits = best_hits(codes, [CTCF])
    same = found.start == hits.start[found.window, 0]
    assert same.mean() > 0.9
    assert (found.end - found.start == CTCF.width).all()
    # They lie over what was planted.
    middle = (found.start + found.end) / 2
    truth = (expected.start + expected.end)[found.window] / 2
    assert np.median(np.abs(middle - truth)) <= 2


def follow(codes, sites, where):
    """Scores that sit where they are told."""
    scores = np.zeros(codes.shape, dtype=np.float32)
    for window, start, end in zip(sites.window, sites.start, sites.end, strict=True):
        first = where(start, end)
        scores[window, first : first + len(MOTIF)] = 1
    return scores


def test_tracking_tells_a_motif_from_a_habit(monkeypatch, planted, model):
    """A method that finds the motif has slope 1, one that likes the middle slope 0."""
    codes, sites = planted

    def motif_scores(_model, batch, _method, _progress=None):
        hits = best_hits(batch, [CTCF])
        scores = np.zeros(batch.shape, dtype=np.float32)
        for row, start in zip(scores, hits.start[:, 0], strict=True):
            row[start : start + 20] = 1
        return scores

    def middle_scores(_model, batch, _method, _progress=None):
        scores = np.zeros(batch.shape, dtype=np.float32)
        scores[:, LENGTH // 2 - 10 : LENGTH // 2 + 10] = 1
        return scores

    for function, slope in ((motif_scores, 1.0), (middle_scores, 0.0)):
        monkeypatch.setattr(checks, "scores_of", function)
        shifts = (-8, -4, 0, 4, 8)
        found = tracking(model, codes, sites, "ig", np.random.default_rng(0), shifts)
        assert found["slope"].value == pytest.approx(slope, abs=0.12)
        assert found["slope"].low <= found["slope"].value <= found["slope"].high
        assert found["n_windows"] == 24
        inside = [
            (s + d >= 0) & (e + d <= LENGTH)
            for s, e in zip(sites.start, sites.end, strict=True)
            for d in shifts
        ]
        assert found["n_shifted"] == sum(inside)
        if slope:
            assert found["r2"] > 0.8


def test_a_trained_network_follows_its_motif(model, planted):
    codes, sites = planted
    shifts = (-8, 0, 8)
    found = tracking(model, codes, sites, "ig", np.random.default_rng(0), shifts)
    assert found["slope"].value > 0.7


def test_random_weights_dissolve_the_scores_and_are_put_back(model, planted):
    codes, _ = planted
    before = {name: t.clone() for name, t in model.state_dict().items()}
    found = randomised_weights(model, codes[:6], "ig", torch.Generator().manual_seed(0))
    assert list(found) == ["head", "positions", "join", "bands", "stem"]
    assert abs(found["stem"]) < 0.5
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_faithfulness_is_its_definition(model, planted):
    codes, sites = planted
    scores = follow(codes, sites, lambda start, end: start)
    found = faithfulness(model, codes, scores, sites, np.random.default_rng(0), (1, 14))
    hidden = codes.copy()
    for row, start, end in zip(hidden, sites.start, sites.end, strict=True):
        row[start:end] = 4
    expected = predict_logits(model, hidden, bf16=False).mean()
    assert found["deletion"]["logits"]["score"][1] == pytest.approx(expected, abs=1e-4)
    shown = np.where(hidden == 4, codes, 4).astype(np.uint8)
    expected = predict_logits(model, shown, bf16=False).mean()
    assert found["insertion"]["logits"]["score"][1] == pytest.approx(expected, abs=1e-4)
    assert found["whole"] == pytest.approx(predict_logits(model, codes, bf16=False).mean())
    # What was planted is what the prediction rests on.
    assert found["deletion"]["over_random"].low > 0
    assert found["insertion"]["over_random"].low > 0
    backwards = faithfulness(model, codes, -scores, sites, np.random.default_rng(0), (1, 14))
    assert backwards["deletion"]["over_random"].value < found["deletion"]["over_random"].value


def test_known_sites_are_scored_by_their_auroc(planted):
    codes, sites = planted
    rng = np.random.default_rng(0)
    right = follow(codes, sites, lambda start, end: start)
    assert known_sites(right, sites, rng)["auroc"].value == 1
    backwards = known_sites(-right, sites, rng)
    assert backwards["auroc_signed"].value == 0
    assert backwards["auroc"].value == 1
    noise = np.random.default_rng(1).random(codes.shape).astype(np.float32)
    assert known_sites(noise, sites, rng)["auroc"].value == pytest.approx(0.5, abs=0.08)
    mixed = (right * np.where(np.arange(right.shape[1]) % 2, 1, -1)).astype(np.float32)
    assert known_sites(mixed, sites, rng)["auroc"].value == 1
    assert 0.3 < known_sites(mixed, sites, rng)["auroc_signed"].value < 0.7


def test_too_few_sites_are_said(model, planted):
    codes, _ = planted
    none = Sites(np.array([0]), np.array([3]), np.array([17]))
    with pytest.raises(InputError, match="tracking needs two or more bound windows with a hit"):
        tracking(model, codes, none, "ig", np.random.default_rng(0))
    with pytest.raises(InputError, match="faithfulness needs two or more"):
        faithfulness(model, codes, codes.astype(np.float32), none, np.random.default_rng(0))
    with pytest.raises(InputError, match="known sites needs two or more"):
        known_sites(codes.astype(np.float32), none, np.random.default_rng(0))


@pytest.mark.slow
def test_the_command_says_it_in_words(run_copy, tmp_path, cli):
    run, data = run_copy
    control = tmp_path / "control"
    arguments = [
        "train",
        data,
        "--out",
        control,
        "--epochs",
        1,
        "--set",
        "training.shuffle_labels=true",
    ]
    assert run_cli([str(a) for a in [*arguments, "--device", "cpu"]]) == 0
    code, out, err = cli(
        "explain", run, data, "--check", "--method", "ig,occlusion", "--set", "motif=CTCF",
        "--n", 12, "--set", f"control={control}", "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    assert "12 bound windows of test with a hit of MA0139.2 CTCF" in out
    assert out.count("When a window is shifted, the scores move") == 2
    assert out.count("A model trained on shuffled labels scores them so") == 2
    found = json.loads((only_result(run, CHECKS) / "checks.json").read_text())
    assert list(found["methods"]) == ["ig", "occlusion"]
    ig = found["methods"]["ig"]
    assert ig["known_sites"]["auroc"]["value"] > 0.8
    slope = ig["tracking"]["slope"]["value"]
    assert f"the scores move {slope:.2f} bp for each bp" in out
    assert ig["faithfulness"]["deletion"]["over_random"]["value"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--check", "--method", "lime"], 1, "method 'lime' is not known"),
        (["--check", "--set", "motif=NOPE"], 1, "motif 'NOPE' is not in JASPAR"),
        (
            ["--check", "--set", "motif=MA0139.1", "--n", "1"],
            1,
            "the checks need 2 windows or more",
        ),
        (["--set", "motif=CTCF"], 2, "the settings motif and control are for --check"),
    ],
)
def test_checks_that_cannot_be(trained, tmp_path, cli, arguments, code, message):
    run = tmp_path / "run"
    shutil.copytree(trained[0], run)
    found, _, err = cli("explain", run, trained[1], "--device", "cpu", *arguments)
    assert found == code
    assert message in " ".join(err.split())


def test_a_control_must_be_one(run_copy, cli):
    run, data = run_copy
    code, _, err = cli(
        "explain",
        run,
        data,
        "--check",
        "--set",
        "motif=CTCF",
        "--set",
        f"control={run}",
        "--device",
        "cpu",
    )
    assert code == 1
    assert "was not trained on shuffled labels; make a control with 'wavebind train" in err


@pytest.mark.parametrize(
    ("slope", "verdict"),
    [
        (1.69, "further than the motif"),
        (0.97, "they follow the motif"),
        (0.6, "follow it in part"),
        (0.1, "mostly a habit of position"),
    ],
)
def test_a_slope_in_words(run_copy, cli, slope, verdict):
    from wavebind.explain.verdicts import words

    run, data = run_copy
    arguments = [
        "--check",
        "--method",
        "gradcam",
        "--set",
        "motif=CTCF",
        "--n",
        4,
        "--device",
        "cpu",
    ]
    assert cli("explain", run, data, *arguments)[0] == 0
    found = json.loads((only_result(run, CHECKS) / "checks.json").read_text())["methods"]["gradcam"]
    found["tracking"]["slope"] = {"value": slope, "low": slope, "high": slope}
    assert verdict in words(found, "CTCF")["tracking"]


@pytest.mark.slow
def test_checks_that_came_first_do_not_stand_in_the_way(run_copy, cli):
    run, data = run_copy
    arguments = ["--method", "gradcam", "--n", 4, "--device", "cpu"]
    assert cli("explain", run, data, "--check", "--set", "motif=CTCF", *arguments)[0] == 0
    before = (only_result(run, CHECKS) / "checks.json").read_bytes()
    code, _, err = cli("explain", run, data, *arguments)
    assert code == 0, err
    assert (only_result(run, CHECKS) / "checks.json").read_bytes() == before
    assert (only_result(run, EXPLANATIONS) / "explain.json").is_file()
