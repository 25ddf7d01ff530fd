"""What share of the training's epochs is spent outside the network.

Trains from random weights under Python's profiler, and prints the seconds of the epochs (training
and validation), those of the network's forward pass, of the backward pass and of the optimizer, and
the rest: batches, augmentation, loss, moving average, metrics, checkpoints and Lightning's loop.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
from pathlib import Path

import wavebind as wb
from wavebind.core.events import Event
from wavebind.core.jsonfiles import read_json
from wavebind.training.config import EpochReport

#: Of what the profiler counts: part of a file's name, and name of the function.
PARTS = {
    "forward": ("classifier.py", "forward"),
    "backward": ("", "<method 'run_backward' of 'torch._C._EngineBase' objects>"),
    "optimizer": ("adam.py", "adam"),
}


def seconds_in(profile: pstats.Stats, file: str, function: str) -> float:
    """Seconds in a function and in what it calls."""
    found: dict[tuple[str, int, str], tuple[int, int, float, float, object]]
    found = profile.stats  # type: ignore[attr-defined]
    return sum(
        times[3] for (path, _, name), times in found.items() if file in path and name == function
    )


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a dataset, made with 'wavebind dataset'")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    profiler = cProfile.Profile()

    def on_event(event: Event) -> None:
        # What follows the last epoch scores valid once more, for the calibration.
        if isinstance(event, EpochReport) and event.epoch == options.epochs:
            profiler.disable()

    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        profiler.enable()
        wb.train(
            options.data,
            run,
            recipe=options.recipe,
            epochs=options.epochs,
            device=options.device,
            settings={"training.start": "none"},
            on_event=on_event,
        )
        whole = sum(epoch["seconds"] for epoch in read_json(run / "history.json"))
    profile = pstats.Stats(profiler)
    parts = {name: seconds_in(profile, *where) for name, where in PARTS.items()}
    parts["the rest"] = whole - sum(parts.values())
    print(f"{options.epochs} epochs, {whole:.1f} s")
    for name, seconds in parts.items():
        print(f"{name:<12}{seconds:>9.1f} s{seconds / whole:>8.1%}")


if __name__ == "__main__":
    main()
