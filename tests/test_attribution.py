import json
import zipfile

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from conftest import LENGTH, MOTIF
from wavebind import explanations
from wavebind.attribution import default_stages, explain_windows, grad_cam
from wavebind.dataset import open_dataset
from wavebind.errors import InputError
from wavebind.explanations import explain_run, read_explained, write_pictures
from wavebind.models import load_model
from wavebind.prediction import predict_logits, reverse_complement_batch
from wavebind.sequences import reverse_complement, to_codes, to_letters


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained[0] / "model.safetensors")[0]


def random_codes(n, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 4, (n, LENGTH), dtype=np.uint8))


def naive_grad_cam(model, codes, stage):
    """Selvaraju et al. 2017, eq. 1 and 2, for one stage and one strand, window by window."""
    maps = []
    for row in codes:
        kept = []
        handle = model.stages()[stage].register_forward_hook(
            lambda m, a, out, kept=kept: kept.append(out)
        )
        score = model(row[None])[0]
        handle.remove()
        (gradient,) = torch.autograd.grad(score, kept[0])
        cam = torch.zeros(kept[0].shape[2:])
        for k in range(kept[0].shape[1]):
            alpha = gradient[0, k].sum() / gradient[0, k].numel()
            cam = cam + alpha * kept[0][0, k].detach()
        cam = functional.relu(cam)
        size = (model.front.shape[1], LENGTH)
        cam = functional.interpolate(cam[None, None], size, mode="bilinear")[0, 0]
        maps.append(cam / cam.max() if cam.max() > 0 else cam)
    return torch.stack(maps)


@pytest.mark.parametrize("stage", ["bands", "join", "positions"])
def test_grad_cam_is_its_formula(model, stage):
    codes = random_codes(3)
    forward = naive_grad_cam(model, codes, stage)
    reverse = naive_grad_cam(model, reverse_complement_batch(codes), stage).flip(-1)
    both = (forward + reverse) / 2
    top = both.amax(dim=(1, 2), keepdim=True).clamp_min(1e-30)
    torch.testing.assert_close(grad_cam(model, codes, [stage]), both / top, atol=1e-4, rtol=1e-3)


def test_a_map_of_the_other_strand_is_turned_around(model):
    codes = random_codes(4)
    found = grad_cam(model, reverse_complement_batch(codes)).flip(-1)
    torch.testing.assert_close(found, grad_cam(model, codes), atol=1e-4, rtol=1e-3)


def planted(n=60):
    rng = np.random.default_rng(3)
    windows, starts = [], []
    for i in range(n):
        letters = list("".join(rng.choice(list("ACGT"), LENGTH)))
        at = int(rng.integers(0, LENGTH - len(MOTIF) + 1))
        letters[at : at + len(MOTIF)] = MOTIF
        codes = to_codes("".join(letters))
        windows.append(reverse_complement(codes) if i % 2 else codes)
        starts.append(LENGTH - at - len(MOTIF) if i % 2 else at)
    return np.stack(windows), np.array(starts)


def test_the_planted_bases_have_the_highest_scores(model):
    codes, starts = planted()
    inside = np.zeros(codes.shape, dtype=bool)
    for row, at in zip(inside, starts, strict=True):
        row[at : at + len(MOTIF)] = True
    parts = list(explain_windows(model, codes, np.arange(len(codes)), batch_size=16))
    scores = np.concatenate([p.base_scores for p in parts])
    hit = inside[np.arange(len(codes)), scores.argmax(axis=1)]
    assert hit.mean() > 0.8
    assert scores[inside].mean() > 2 * scores[~inside].mean()


def test_class_1_is_what_is_explained(model):
    """The gradient of the negated logit lights up elsewhere."""

    class Negated(nn.Module):
        def __init__(self, backbone):
            super().__init__()
            self.backbone = backbone

        def forward(self, x):
            return -self.backbone(x)

        def stages(self):
            return self.backbone.stages()

    codes, starts = planted(30)
    batch = torch.from_numpy(codes)
    maps = grad_cam(model, batch, ["positions"]).mean(dim=1).numpy()
    original = model.backbone
    model.backbone = Negated(original)
    try:
        other = grad_cam(model, batch, ["positions"]).mean(dim=1).numpy()
    finally:
        model.backbone = original
    middle = starts + len(MOTIF) // 2
    rows = np.arange(len(codes))
    assert maps[rows, middle].mean() > 0.5
    assert maps[rows, middle].mean() > 2 * other[rows, middle].mean()


def test_maps_are_between_zero_and_one(model):
    maps = grad_cam(model, random_codes(5))
    assert maps.shape == (5, 32, LENGTH)
    assert maps.min() >= 0
    assert ((maps.amax(dim=(1, 2)) - 1).abs() < 1e-5).logical_or(maps.amax(dim=(1, 2)) == 0).all()


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules())


def test_the_model_is_left_as_it_was(model):
    model.train()
    model.requires_grad_(requires_grad=False)
    grad_cam(model, random_codes(2))
    assert model.training
    assert hooks(model) == 0
    assert all(p.grad is None for p in model.parameters())
    with pytest.raises(InputError, match="is for windows of 48 bp"):
        grad_cam(model, torch.zeros(1, 50, dtype=torch.uint8))
    assert hooks(model) == 0
    assert model.training
    model.requires_grad_(requires_grad=True)
    model.eval()


def test_stages_that_are_not(model):
    assert default_stages(model) == ("bands", "join", "positions")
    with pytest.raises(InputError, match="stage 'layer4' is not one of this model; choose from"):
        grad_cam(model, random_codes(1), ["layer4"])
    with pytest.raises(InputError, match="name at least one stage"):
        grad_cam(model, random_codes(1), [])


def test_explaining_a_run(run_copy):
    run, path = run_copy
    data = open_dataset(path)
    explained, config = explain_run(run, data, n=5, seed=1, device="cpu")
    assert (data.labels[explained.index] == 1).all()
    assert (data.parts[explained.index] == "test").all()
    bound = np.flatnonzero((data.parts == "test") & (data.labels == 1))
    assert explained.n_mean == len(bound)
    model, _ = load_model(run / "model.safetensors")
    maps = grad_cam(model, torch.from_numpy(np.asarray(data.codes[bound]))).numpy()
    np.testing.assert_allclose(explained.mean_map, maps.mean(axis=0), atol=1e-3)
    rows = (run / "explain" / "base_scores.tsv").read_text().splitlines()
    assert rows[0].split("\t") == ["name", "position", "coordinate", "base", "score"]
    assert len(rows) == 1 + 5 * LENGTH
    name, position, coordinate, base, score = rows[1 + LENGTH + 7].split("\t")
    assert name == explained.names[1]
    assert int(position) == 7
    assert int(coordinate) == explained.start[1] + 7
    assert base == to_letters(explained.codes[1])[7]
    assert float(score) == pytest.approx(explained.base_scores[1, 7], abs=1e-5)
    again = read_explained(run)
    assert again.names == explained.names
    np.testing.assert_allclose(again.maps, explained.maps, atol=1e-3)
    pictures = write_pictures(run, explained, config)
    assert len(pictures) == 6
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in pictures)
    settings = json.loads((run / "explain" / "explain.json").read_text())
    assert settings["class"] == 1


def test_the_top_windows_are_those_with_the_highest_scores(run_copy):
    run, path = run_copy
    data = open_dataset(path)
    explained, _ = explain_run(run, data, n=4, select="top", device="cpu")
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
    explain_run(run, data, n=1, device="cpu")
    (run / "explain" / "explanations.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match="is damaged"):
        read_explained(run)
    with zipfile.ZipFile(run / "explain" / "explanations.npz", "w", zipfile.ZIP_DEFLATED) as bomb:
        for i in range(3):
            bomb.writestr(f"{i}.npy", b"\0" * 1_000_000)
    monkeypatch.setattr(explanations, "_MAX_ARRAY_BYTES", 2_000_000)
    with pytest.raises(InputError, match="unpacks to 3,000,000 bytes"):
        read_explained(run)
