import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from helpers import LENGTH, MOTIF, planted_windows
from wavebind.core.errors import InputError
from wavebind.explain.attribution import explain_windows
from wavebind.explain.gradcam import default_stages, grad_cam
from wavebind.models import load_model
from wavebind.models.strands import reverse_complement_batch


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained[0] / "model.safetensors")[0]


def random_codes(n, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 4, (n, LENGTH), dtype=np.uint8))


def weigh(kind, maps, gradient):
    """One window's maps ``(map, height, width)``, by the formula of each paper, in loops."""
    maps, gradient = maps.double(), gradient.double()
    cam = torch.zeros(maps.shape[1:], dtype=torch.float64)
    for k in range(len(maps)):
        if kind == "gradcam":
            weight = gradient[k].sum() / gradient[k].numel()
        elif kind == "layercam":
            weight = gradient[k].clamp_min(0)
        else:
            weight = 0.0
            for i in range(maps.shape[1]):
                for j in range(maps.shape[2]):
                    g = gradient[k, i, j]
                    below = 2 * g**2 + (maps[k] * gradient[k] ** 3).sum()
                    if below != 0:
                        weight = weight + g**2 / below * g.clamp_min(0)
        cam = cam + weight * maps[k]
    return functional.relu(cam).float()


def on_bases(values, stage):
    """One row of a map, each value on the base in the middle of what its position reads.

    The stem takes seven bases from either end and the block over bands one. Then the maximum joins
    fours, and each block takes two fours from either end.
    """
    joined = (LENGTH - 2 * 8) // 4
    crop = (joined - len(values)) // 2
    first, step = (8, 1) if stage == "bands" else (8 + 1.5 + 4 * crop, 4)
    where = first + step * np.arange(len(values))
    found = np.interp(np.arange(LENGTH), where, values.numpy())
    half = step / 2
    near = (np.arange(LENGTH) >= where[0] - half) & (np.arange(LENGTH) <= where[-1] + half)
    return torch.from_numpy(np.where(near, found, 0)).float()


def naive_grad_cam(model, codes, stage, kind="gradcam"):
    """One stage and one strand, window by window."""
    maps, kept = [], []
    (module,) = model.stages()[stage]
    handle = module.register_forward_hook(lambda m, a, out: kept.append(out))
    scores = model(codes)
    handle.remove()
    # At once: where terms of Grad-CAM++ cancel, the rounding of another batch size shows.
    (gradients,) = torch.autograd.grad(scores.sum(), kept[0])
    for one, gradient in zip(kept[0].detach(), gradients, strict=True):
        cam = weigh(kind, one, gradient)
        size = (len(model.periods), cam.shape[1])
        cam = functional.interpolate(cam[None, None], size, mode="bilinear")[0, 0]
        cam = torch.stack([on_bases(row, stage) for row in cam])
        maps.append(cam / cam.max() if cam.max() > 0 else cam)
    return torch.stack(maps)


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        *((stage, "gradcam") for stage in ("bands", "join", "positions")),
        ("positions", "layercam"),
        ("positions", "gradcam++"),
    ],
)
def test_a_map_is_its_formula(model, stage, kind):
    codes = random_codes(3)
    forward = naive_grad_cam(model, codes, stage, kind)
    reverse = naive_grad_cam(model, reverse_complement_batch(codes), stage, kind).flip(-1)
    both = (forward + reverse) / 2
    top = both.amax(dim=(1, 2), keepdim=True).clamp_min(1e-30)
    found = grad_cam(model, codes, [stage], kind)
    torch.testing.assert_close(found, both / top, atol=1e-4, rtol=1e-3)


def test_a_map_of_the_other_strand_is_turned_around(model):
    codes = random_codes(4)
    found = grad_cam(model, reverse_complement_batch(codes)).flip(-1)
    torch.testing.assert_close(found, grad_cam(model, codes), atol=1e-4, rtol=1e-3)


def test_the_planted_bases_have_the_highest_scores(model):
    codes, starts = planted_windows()
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

        def places(self):
            return self.backbone.places()

    codes, starts = planted_windows(30)
    batch = torch.from_numpy(codes)
    maps = grad_cam(model, batch, ["join"]).mean(dim=1).numpy()
    original = model.backbone
    model.backbone = Negated(original)
    try:
        other = grad_cam(model, batch, ["join"]).mean(dim=1).numpy()
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
    with pytest.raises(InputError, match="map 'scorecam' is not known; choose one of: gradcam, "):
        grad_cam(model, random_codes(1), kind="scorecam")
