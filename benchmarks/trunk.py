"""Train the trunk: one network on many labels, which other trainings begin with.

The table has a row a window, and a column a label: 1 bound, 0 not, anything else not known. Its
windows are split by the ``split`` column, so the test part is never seen. ``--without`` leaves out
the labels of factors, for measuring how the trunk serves a factor that it has not seen. A run that
was interrupted is continued.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import wavebind as wb
from wavebind.cli.console import TerminalProgress
from wavebind.core.events import OnEvent
from wavebind.core.files import read_lines
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.training.train import finished_card

#: Columns of the table that are no labels.
PLACES = ("chrom", "start", "end", "split", "seq")
#: Chosen on valid; see docs/decisions/trunk.md.
SETTINGS: dict[str, object] = {
    "options.dropout": 0.0,
    "options.head_dropout": 0.1,
    "training.batch_size": 1024,
    "training.learning_rate": 4e-3,
    "training.max_shift": 8,
    "training.averaging": 0.999,
    "training.unbound_ratio": "all",
    "training.judged": ("*", "!open:*"),
    "training.patience": 10,
    "training.start": "none",
}


def label_columns(table: Path) -> list[str]:
    """The labels of a table, in its order."""
    _, header = next(read_lines(table))
    return [name for name in header.split("\t") if name not in PLACES]


def opened(table: Path, folder: Path, without: list[str], on_event: OnEvent) -> Dataset:
    """The dataset, made once, without the labels of some factors."""
    names = label_columns(table)
    if not (folder / "dataset.json").is_file():
        wb.make_dataset(table, out=folder, settings={"labels": names}, on_event=on_event)
    factors = {name.split(":")[0] for name in names}
    unknown = sorted(set(without) - factors)
    if unknown:
        raise SystemExit(f"{table}: has no factor {unknown[0]!r}; it has {', '.join(factors)}")
    kept = [name for name in names if name.split(":")[0] not in without]
    return open_dataset(folder).keeping(kept)


def main() -> None:
    """Make the dataset, train or continue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="dhs_multitask_200bp.tsv.gz")
    parser.add_argument("--data", type=Path, required=True, help="the dataset, made if missing")
    parser.add_argument("--out", type=Path, required=True, help="the run")
    parser.add_argument("--recipe", default="onehot", help="recipe of the network (onehot)")
    parser.add_argument("--without", nargs="*", default=[], metavar="FACTOR")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", dest="more")
    options = parser.parse_args()
    with TerminalProgress() as on_event:
        data = opened(options.table, options.data, options.without, on_event)
        begun = (options.out / "run.json").is_file()
        if begun and finished_card(options.out):
            print(f"{options.out}: has ended already")
            return
        settings = {**SETTINGS, **dict(entry.split("=", 1) for entry in options.more)}
        if begun:
            run = wb.train(data, options.out, resume=True, device=options.device, on_event=on_event)
        else:
            run = wb.train(
                data,
                options.out,
                recipe=options.recipe,
                epochs=options.epochs,
                seed=options.seed,
                device=options.device,
                settings=settings,
                on_event=on_event,
            )
    if run is not None:
        print(f"written: {run.path}, valid AUROC {run.card.valid['auroc']:.4f}")


if __name__ == "__main__":
    main()
