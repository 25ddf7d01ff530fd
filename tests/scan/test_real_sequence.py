"""A stretch of chr22 by ``scan`` and window by window, for recipes whose windows share work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyBigWig
import pytest
import torch

from wavebind.core.workers import WorkerPool
from wavebind.genome.genomes import open_genome
from wavebind.genome.sequences import UNKNOWN, letter_codes, to_letters
from wavebind.metrics.platt import PlattScaling
from wavebind.models import ModelCard, build_model, load_model, save_model
from wavebind.models.prediction import predict_logits
from wavebind.models.stretches import StretchScorer
from wavebind.scan.genome import scan_genome
from wavebind.scan.settings import ScanConfig, ScanJob
from wavebind.training.recipes import load_recipe, recipe_names

#: It begins in unknown sequence, and repeats in it are masked.
BEGIN, SIZE, LENGTH = 17_438_000, 20_000, 200
SHARING = ("default", "onehot", "sequence", "small", "wavelets")


def test_these_are_the_recipes_that_share() -> None:
    found = []
    for name in recipe_names():
        model = build_model(load_recipe(name).model(LENGTH), torch.Generator().manual_seed(0))
        if StretchScorer(model.eval()).step:
            found.append(name)
    assert tuple(found) == SHARING


@pytest.fixture(scope="module")
def stretch(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    with open_genome(shared_data / "chr22_hg19" / "chr22.fa.gz") as genome:
        codes = letter_codes(genome.letters("chr22", BEGIN, BEGIN + SIZE))
    path = tmp_path_factory.mktemp("real") / "stretch.fa"
    path.write_text(f">chr22\n{to_letters(codes)}\n")
    return path, codes


@pytest.mark.parametrize("name", ["default", "wavelets", "small"])
def test_a_scan_is_what_the_windows_are(name, stretch, tmp_path, own_cache) -> None:
    path, codes = stretch
    config = load_recipe(name).model(LENGTH)
    model = build_model(config, torch.Generator().manual_seed(1))
    with torch.no_grad():
        # Statistics of real windows, and weights that make logits differ.
        windows = np.lib.stride_tricks.sliding_window_view(codes, LENGTH)
        for at in range(6_000, 19_000, 500):
            model.train()(torch.from_numpy(windows[at : at + 500 : 4].copy()))
        model.backbone.head.weight *= 8
    run = tmp_path / "run"
    run.mkdir()
    card = ModelCard(model.config, (0.5,), 0, 1, calibration=(PlattScaling(),))
    save_model(run / "model.safetensors", model.eval(), card)
    (run / "run.json").write_text("{}")
    job = ScanJob(
        str(run), str(path), str(tmp_path / "s.bw"),
        config=ScanConfig(stride=8, precision="float32"),
    )  # fmt: skip
    summary = scan_genome(job, pool=WorkerPool(1))
    assert summary is not None
    model, card = load_model(run / "model.safetensors")
    starts = np.arange(0, SIZE - LENGTH + 1, 8)
    unknown = (windows[starts] == UNKNOWN).sum(axis=1) > 0.1 * LENGTH
    assert 600 < unknown.sum() == summary.n_unknown
    alone = predict_logits(model, windows, starts[~unknown], bf16=False)
    assert alone.std() > 0.05
    shared = StretchScorer(model, bf16=False).logits(codes, starts[~unknown])
    assert np.abs(shared - alone).max() <= 1e-3
    with pyBigWig.open(str(tmp_path / "s.bw")) as track:
        found = {a: v for a, _, v in track.intervals("chr22")}
    places = starts[~unknown] + LENGTH // 2 - 4
    assert sorted(found) == places.tolist()
    values = np.array([found[a] for a in places.tolist()])
    # Four digits are written.
    np.testing.assert_allclose(values, 1 / (1 + np.exp(-alone)), rtol=1e-3)
