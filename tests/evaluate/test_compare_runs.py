"""Under which name a comparison keeps a model, and what makes it another one."""

import shutil
from pathlib import Path

import torch

from wavebind.core.files import sha256
from wavebind.evaluate.baselines import make_baseline, parse_model
from wavebind.evaluate.compare_runs import run_key
from wavebind.models import load_model, save_model
from wavebind.models.shipped import package_folder

SHIPPED = package_folder("factors") / "model.safetensors"


def test_other_weights_at_the_same_path_are_another_model(tmp_path):
    run = tmp_path / "begun"
    run.mkdir()
    for name in ("run.json", "model.safetensors"):
        shutil.copy(SHIPPED.with_name(name), run / name)
    spec = parse_model(f"default:{run}")
    before = run_key(spec, 1)
    assert run_key(spec, 1) == before
    model, card = load_model(run / "model.safetensors")
    with torch.no_grad():
        next(iter(model.parameters())).add_(0.5)
    save_model(run / "model.safetensors", model, card)
    assert run_key(spec, 1) != before


def test_only_weights_that_fit_are_part_of_a_model():
    fits = {"factors": sha256(Path(SHIPPED))}
    for name, begins in (
        ("default", fits),
        ("default:factors", fits),
        ("default:none", {}),
        ("default:factors+none", fits),
        ("cnn", {}),
        ("wavelets", {}),
    ):
        assert make_baseline(parse_model(name)).described()["begins_with"] == begins, name
