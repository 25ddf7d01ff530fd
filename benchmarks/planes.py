"""Which parts of the scalogram a trained network uses.

Parts of the plane are set to zero, which is their mean, and the windows are scored again: each
octave of periods, each output of the coefficients, and stretches of positions by their distance
from the middle. A part that is needed costs much when it goes; a part that suffices keeps much when
it is left alone. Nothing is trained again, so that a part which another could stand in for seems to
matter more than it does. On valid, unless test is asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.devices import autocast, flush_denormals
from wavebind.datasets.dataset import open_dataset
from wavebind.metrics.binary import ranking_metrics
from wavebind.models import Classifier
from wavebind.models.prediction import load_run
from wavebind.models.strands import reverse_complement_batch


def parts_of(model: Classifier) -> Iterator[tuple[str, torch.Tensor]]:
    """Names of parts, and where they are: bool, broadcast over ``(channel, scale, position)``."""
    channels, _, positions = model.front.shape
    periods = np.asarray(model.periods)
    low = float(periods.min())
    while low < periods.max() * (1 - 1e-9):
        high = 2 * low
        # The longest period belongs to the last octave.
        inside = (periods >= low * (1 - 1e-9)) & (periods < high * (1 - 1e-9))
        if high >= periods.max() * (1 - 1e-9):
            inside |= periods >= high * (1 - 1e-9)
        yield f"periods {low:.0f} to {high:.0f} bp", torch.from_numpy(inside)[None, :, None]
        low = high
    outputs = model.config.scalogram.outputs
    for i, name in enumerate(outputs):
        # Channels are grouped by signal, the outputs of each side by side.
        mask = torch.arange(channels) % len(outputs) == i
        yield f"the {name} parts", mask[:, None, None]
    middle = (torch.arange(positions) + 0.5 - positions / 2).abs() / (positions / 2)
    for low_share, high_share in ((0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)):
        inside_ = (middle >= low_share) & (middle < high_share)
        half = model.config.length / 2
        name = f"{low_share * half:.0f} to {high_share * half:.0f} bp from the middle"
        yield name, inside_[None, None, :]


def score(model: Classifier, codes: NDArray[np.uint8], kept: torch.Tensor) -> NDArray[np.float64]:
    """Logits of both strands with only the kept part of the plane, ``(window,)``."""
    device = next(model.parameters()).device
    found = []
    with torch.inference_mode(), flush_denormals(), autocast(device, True):
        for start in range(0, len(codes), 512):
            batch = torch.from_numpy(np.ascontiguousarray(codes[start : start + 512])).to(device)
            logits = [
                model.from_features(model.features(strand) * kept.to(device)).float()
                for strand in (batch, reverse_complement_batch(batch))
            ]
            found.append(torch.stack(logits).mean(0).cpu().numpy().astype(np.float64))
    return np.concatenate(found)


def main() -> None:
    """Score, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run directory of a network on scalograms")
    parser.add_argument("data", type=Path, help="a dataset, made with 'wavebind dataset'")
    parser.add_argument("--split", default="valid")
    options = parser.parse_args()
    data = open_dataset(options.data)
    model, _ = load_run(options.run, data)
    model.eval()
    if model.config.front_name == "signal" or model.image or len(model.config.outputs) > 1:
        parser.error("a network of one output on scalograms is needed")
    indices = data.indices(options.split)
    labels, codes = data.labels[indices].astype(np.int64), np.asarray(data.codes[indices])
    whole = ranking_metrics(labels, score(model, codes, torch.ones(1, 1, 1)))[0]
    print(f"{len(labels):,} windows of {options.split}, {int(labels.sum()):,} bound")
    print(f"{'part':<32}{'AUROC without':>14}{'change':>9}{'AUROC alone':>13}")
    print(f"{'all':<32}{'':>14}{'':>9}{whole:>13.4f}")
    for name, inside in parts_of(model):
        without = ranking_metrics(labels, score(model, codes, (~inside).float()))[0]
        alone = ranking_metrics(labels, score(model, codes, inside.float()))[0]
        print(f"{name:<32}{without:>14.4f}{without - whole:>+9.4f}{alone:>13.4f}")


if __name__ == "__main__":
    main()
