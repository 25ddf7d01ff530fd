import json
import zipfile

import numpy as np
import pyBigWig
import pytest
import torch

from helpers import LENGTH, MOTIF, only_result, planted_windows
from wavebind.core.errors import InputError
from wavebind.datasets.dataset import open_dataset
from wavebind.explain import run as explanations
from wavebind.explain.attribution import METHODS, base_weights, explain_windows
from wavebind.explain.gradcam import KINDS, grad_cam
from wavebind.explain.run import explain_run, read_explained
from wavebind.explain.tracks import best_stretch
from wavebind.genome.sequences import to_letters
from wavebind.models import ModelConfig, load_model
from wavebind.models.prediction import predict_logits
from wavebind.models.results import EXPLANATIONS
from wavebind.report.pictures import write_pictures
from wavebind.wavelets.filters import Wavelet, time_spread
from wavebind.wavelets.scalograms import ScalogramConfig


def test_explaining_a_run(run_copy):
    run, path = run_copy
    data = open_dataset(path)
    explained, config, folder = explain_run(run, data, method="gradcam", n=5, seed=1, device="cpu")
    assert (data.labels[explained.index] == 1).all()
    assert (data.parts[explained.index] == "test").all()
    bound = np.flatnonzero((data.parts == "test") & (data.labels == 1))
    assert explained.n_mean == len(bound)
    model, _ = load_model(run / "model.safetensors")
    maps = grad_cam(model, torch.from_numpy(np.asarray(data.codes[bound]))).numpy()
    np.testing.assert_allclose(explained.mean_map, maps.mean(axis=0), atol=1e-3)
    rows = (only_result(run, EXPLANATIONS) / "base_scores.tsv").read_text().splitlines()
    assert rows[0].split("\t") == ["name", "position", "coordinate", "base", "score"]
    assert len(rows) == 1 + 5 * LENGTH
    name, position, coordinate, base, score = rows[1 + LENGTH + 7].split("\t")
    assert name == explained.names[1]
    assert int(position) == 7
    assert int(coordinate) == explained.start[1] + 7
    assert base == to_letters(explained.codes[1])[7]
    assert float(score) == pytest.approx(explained.base_scores[1, 7], abs=1e-5)
    again = read_explained(folder)
    assert again.names == explained.names
    np.testing.assert_allclose(again.maps, explained.maps, atol=1e-3)
    pictures = write_pictures(folder, explained, config)
    assert len(pictures) == 7
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in pictures)
    settings = json.loads((only_result(run, EXPLANATIONS) / "explain.json").read_text())
    assert settings["class"] == 1


def test_the_top_windows_are_those_with_the_highest_scores(run_copy):
    run, path = run_copy
    data = open_dataset(path)
    explained, _, _ = explain_run(
        run, data, method="gradcam", n=4, n_mean=3, select="top", device="cpu"
    )
    assert explained.n_mean == 3
    bound = np.flatnonzero((data.parts == "test") & (data.labels == 1))
    model, _ = load_model(run / "model.safetensors")
    logits = predict_logits(model, data.codes, bound)
    # Windows can share a score, so the scores are compared and not the windows.
    found = predict_logits(model, data.codes, explained.index)
    np.testing.assert_allclose(found, np.sort(logits)[::-1][:4], atol=0.05)


def test_explanations_that_cannot_be(run_copy, monkeypatch):
    run, path = run_copy
    data = open_dataset(path)
    with pytest.raises(InputError, match="must be 1 or more; found 0"):
        explain_run(run, data, n=0)
    with pytest.raises(InputError, match="selection 'worst' is not known"):
        explain_run(run, data, select="worst")
    with pytest.raises(InputError, match="make it with 'wavebind explain"):
        read_explained(run)
    with pytest.raises(InputError, match="method 'lime' is not known; choose one of: gradcam"):
        explain_run(run, data, method="lime")
    with pytest.raises(InputError, match="looks at bases, not at stages"):
        list(explain_windows(load_model(run / "model.safetensors")[0], data.codes,
                             np.arange(2), method="ism", stages=["join"]))  # fmt: skip
    _, _, folder = explain_run(run, data, method="occlusion", n=1, n_mean=2, device="cpu")
    (only_result(run, EXPLANATIONS) / "explanations.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match="is damaged"):
        read_explained(folder)
    with zipfile.ZipFile(
        only_result(run, EXPLANATIONS) / "explanations.npz", "w", zipfile.ZIP_DEFLATED
    ) as bomb:
        for i in range(3):
            bomb.writestr(f"{i}.npy", b"\0" * 1_000_000)
    monkeypatch.setattr(explanations, "_MAX_ARRAY_BYTES", 2_000_000)
    with pytest.raises(InputError, match="unpacks to 3,000,000 bytes"):
        read_explained(folder)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_planted_bases(trained, method):
    model = load_model(trained[0] / "model.safetensors")[0]
    codes, starts = planted_windows(16)
    pieces = list(explain_windows(model, codes, np.arange(16), method=method, batch_size=7))
    assert [len(p.base_scores) for p in pieces] == [7, 7, 2]
    scores = np.concatenate([p.base_scores for p in pieces])
    assert scores.shape == (16, LENGTH)
    place = np.arange(LENGTH)
    inside = (place >= starts[:, None]) & (place < starts[:, None] + len(MOTIF))
    assert scores[inside].mean() > 1.5 * scores[~inside].mean()
    # Maps know places of a few bases only.
    assert inside[np.arange(16), scores.argmax(1)].mean() > (0.6 if method in KINDS else 0.8)


def test_integrated_gradients_are_what_scalenet_is_explained_by(run_copy, cli):
    run, path = run_copy
    code, out, err = cli("explain", run, path, "--n", 2, "--set", "n_mean=4", "--device", "cpu")
    assert code == 0, err
    assert "2 windows explained by ig; the mean score of 4 bound windows peaks at base" in out
    explained = read_explained(only_result(run, EXPLANATIONS))
    assert explained.method == "ig"
    assert explained.contributions.shape == (2, LENGTH, 4)
    onehot = np.load(only_result(run, EXPLANATIONS) / "modisco_sequences.npz")["arr_0"]
    scores = np.load(only_result(run, EXPLANATIONS) / "modisco_scores.npz")["arr_0"]
    assert onehot.shape == scores.shape == (2, 4, LENGTH)
    np.testing.assert_allclose((onehot * scores).sum(1), explained.base_scores, atol=1e-5)
    letters = ["".join("ACGT"[i] for i in x.argmax(0)) for x in onehot]
    assert letters == [to_letters(codes) for codes in explained.codes]


def test_tracks_hold_the_scores_at_their_places(run_copy):
    run, path = run_copy
    data = open_dataset(path)
    explained, _, _ = explain_run(run, data, method="occlusion", n=6, n_mean=1, device="cpu")
    track = pyBigWig.open(str(only_result(run, EXPLANATIONS) / "base_scores.bw"))
    lines = (only_result(run, EXPLANATIONS) / "sites.bed").read_text().splitlines()
    assert len(lines) == 6
    places = {tuple(line.split("\t")[:2]): line.split("\t") for line in lines}
    assert len(places) == 6
    for i, name in enumerate(explained.names):
        chrom, start = str(explained.chrom[i]), int(explained.start[i])
        values = track.values(chrom, start, start + LENGTH)
        np.testing.assert_allclose(values, explained.base_scores[i], atol=1e-5)
        first, _ = best_stretch(explained.base_scores[i])
        row = places[chrom, str(start + first)]
        assert row[2] == str(start + first + 20)
        assert row[3] == name
        assert 0 <= int(row[4]) <= 1000
    assert max(int(row[4]) for row in places.values()) == 1000
    track.close()


def test_overlapping_windows_share_a_mean(tmp_path, trained):
    from dataclasses import replace

    from wavebind.explain.tracks import write_tracks

    data = open_dataset(trained[1])
    data = replace(data, chrom=np.array(["c", "c"]), end=np.array([14, 16]))
    scores = np.array([[1.0] * 4, [3.0] * 4], dtype=np.float32)
    chrom, start = np.array(["c", "c"]), np.array([10, 12])
    assert write_tracks(tmp_path, chrom, start, ["a", "b"], scores, data)
    track = pyBigWig.open(str(tmp_path / "base_scores.bw"))
    assert track.values("c", 10, 16) == [1, 1, 2, 2, 3, 3]
    assert not write_tracks(tmp_path, np.array([""]), np.array([-1]), ["a"], scores[:1], data)


@pytest.mark.parametrize(
    ("scores", "width", "expected"),
    [([0, 1, 2, 0], 2, (1, 3.0)), ([1, 1], 5, (0, 2.0)), ([-3, -1, -2], 1, (1, -1.0))],
)
def test_the_best_stretch(scores, width, expected):
    assert best_stretch(np.array(scores, dtype=float), width) == expected


def test_a_coefficient_is_shared_out_by_the_energy_of_its_wavelet():
    config = ScalogramConfig(wavelet=Wavelet(beta=4.0), n_scales=5, min_period=4, max_period=24)
    weights = np.stack(list(base_weights(config, 160)))
    np.testing.assert_allclose(weights.sum(axis=2), 1, atol=1e-5)
    bases = np.arange(160)
    for scale, period in enumerate(config.periods(160)):
        share = weights[scale, 80]
        assert share @ bases == pytest.approx(80, abs=0.1)
        spread = np.sqrt(share @ (bases - 80) ** 2)
        # The closed form is of the Gaussian that is nearest to the wavelet.
        assert spread == pytest.approx(time_spread(config.wavelet) * period, rel=0.35)


@pytest.mark.parametrize(("front", "said"), [("wavelets", False), ("signal", True)])
def test_a_picture_for_people_is_not_called_what_the_network_saw(front, said):
    from wavebind.report.explanation_plots import draw_explanation

    config = ModelConfig(LENGTH, front=front)
    n = len(config.scalogram.periods(LENGTH))
    codes = np.zeros(LENGTH, np.uint8)
    figure = draw_explanation("w", codes, np.zeros((n, LENGTH), np.float32),
                              np.arange(LENGTH, dtype=np.float32), config, 0.5)  # fmt: skip
    title = figure.axes[0].get_title(loc="left")
    assert ("a picture for people: this network reads the bases themselves" in title) == said
