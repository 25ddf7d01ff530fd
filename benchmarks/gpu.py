"""Windows a second of the transform, scalenet and ResNet-50, and what part of the device that is.

Then the default network along random sequence, both strands, by the length of a pass: Mb a second.

Runs on whatever device there is; made for a GPU. The share is of the device's own best bf16 (or
float32) matrix product, measured in the same run, so that it needs no data sheet.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from wavebind.core.devices import autocast, has_fast_bf16, resolve_device
from wavebind.models import Classifier, ModelConfig, build_model
from wavebind.models.stretches import StretchScorer
from wavebind.training.recipes import load_recipe

EPOCH = 20_000


def rate(
    function: Callable[[], object], amount: int, device: torch.device, seconds: float
) -> float:
    """Units of `amount` a second, after a warm-up."""
    sync = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    for _ in range(2):
        function()
    sync()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        function()
        sync()
        done += amount
    return done / (time.perf_counter() - start)


def peak(device: torch.device, seconds: float) -> float:
    """Floating-point operations a second of a large matrix product."""
    n = 8192 if device.type == "cuda" else 1024
    dtype = torch.bfloat16 if has_fast_bf16(device) else torch.float32
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    return rate(lambda: a @ b, 2 * n**3, device, seconds)


def flops(function: Callable[[], object]) -> int:
    """Floating-point operations of one call, as PyTorch counts them."""
    with FlopCounterMode(display=False) as counter:
        function()
    return int(counter.get_total_flops())


def measure(
    name: str,
    model: Classifier,
    batch: int,
    device: torch.device,
    options: argparse.Namespace,
    top: float,
) -> None:
    """Print prediction and training of one network."""
    codes = torch.randint(0, 4, (batch, model.config.length), dtype=torch.uint8, device=device)
    labels = torch.randint(0, 2, (batch,), device=device).float()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)

    def transform() -> None:
        with torch.inference_mode(), autocast(device):
            model.features(codes)

    def predict() -> None:
        with torch.inference_mode(), autocast(device):
            model(codes)

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        with autocast(device):
            logits = model(codes).float()
        torch.nn.functional.binary_cross_entropy_with_logits(logits, labels).backward()
        optimizer.step()

    for what, function in (("transform", transform), ("predict", predict), ("train", train)):
        model.train(what == "train")
        found = rate(function, batch, device, options.seconds)
        share = found / batch * flops(function) / top
        print(f"{name:<26}{what:<11}{_rounded(found):>12}{share:>9.1%}{EPOCH / found:>11.1f}")


def slide(device: torch.device, options: argparse.Namespace, generator: torch.Generator) -> None:
    """Print how fast the default network slides, by stride and by bases of one pass."""
    model = build_model(load_recipe("default").model(200), generator).to(device).eval()
    codes = torch.randint(0, 4, (options.bases,), dtype=torch.uint8, generator=generator).numpy()
    print(f"{'along sequence':<26}{'stride':<11}{'Mb/s':>12}")
    for stride in (8, 4):
        starts = np.arange(0, options.bases - model.config.length + 1, stride)
        for block in options.blocks:
            if block > options.bases:
                continue
            scorer = StretchScorer(model, block=block)
            # What is timed ends on this side of the bus.
            found = rate(partial(scorer.logits, codes, starts), options.bases, device, 1.0)
            print(f"{f'passes of {block:,} bases':<26}{stride:<11}{found / 1e6:>12.2f}")


def _rounded(rate: float) -> str:
    """Whole windows a second, or two places of a rate that is slow."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--size", type=int, default=224, help="of an image, in pixels")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--bases", type=int, default=2**21, help="of the random sequence")
    parser.add_argument(
        "--blocks", type=int, nargs="+", default=[2**14, 2**16, 2**19, 2**21], help="of one pass"
    )
    options = parser.parse_args()
    device = resolve_device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    top = peak(device, options.seconds)
    print(f"{name}, torch {torch.__version__}, matrix product {top / 1e12:.2f} TFLOP/s")
    print(f"{'network':<26}{'what':<11}{'windows/s':>12}{'of peak':>9}{'s/20,000':>11}")
    generator = torch.Generator().manual_seed(0)
    measure(
        "scalenet", build_model(ModelConfig(200), generator).to(device), options.batch, device,
        options, top,
    )  # fmt: skip
    slide(device, options, generator)
    recipe = load_recipe("ruggeri2025")
    assert recipe.image is not None  # noqa: S101
    recipe = replace(recipe, image=replace(recipe.image, size=(options.size, options.size)))
    resnet = build_model(recipe.model(200), generator).to(device)
    measure(f"resnet50, {options.size} px, all", resnet, options.batch, device, options, top)
    resnet.backbone.freeze_all_but(("layer4",))
    measure(f"resnet50, {options.size} px, layer4", resnet, options.batch, device, options, top)


if __name__ == "__main__":
    main()
