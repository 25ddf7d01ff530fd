"""Make the package's model of a trained trunk: weights, a table of its labels, a sketch, a card.

Its labels are scored on the test chromosome, once. What is written is what was measured: nothing is
trained any further.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from wavebind.core.jsonfiles import read_json, write_json
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.datasets.seen import SKETCH, SeenWindows
from wavebind.metrics.binary import auroc_with_interval, ranking_metrics
from wavebind.models import ModelCard, load_model, save_model
from wavebind.models.prediction import predict_logits
from wavebind.models.rundir import RunDir

#: What stands behind a label in the table, and what it means.
NOTES = {
    "norelaxed": "no relaxed peak file: some unbound windows may be bound",
    "noDHS": "no openness data: every window counts as assayed",
}
#: Below this AUROC, the interval included, a label tells too little to be of use.
USEFUL = 0.75
COLUMNS = (
    "label\ttrain_bound\ttest_bound\ttest_unbound\tauroc\tlow\thigh\tauprc\tcalibrated\tuse\tnote"
)


def plain(name: str) -> tuple[str, str]:
    """A label's name without its note, and the note."""
    head, _, tail = name.rpartition(":")
    return (head, NOTES[tail]) if tail in NOTES else (name, "")


def label_rows(data: Dataset, card: ModelCard, logits: np.ndarray) -> list[str]:
    """A row a label: its counts, and how it does on test."""
    train, test = data.indices("train"), data.indices("test")
    rows = []
    for j, name in enumerate(data.outputs):
        labels = data.targets[test, j]
        known = labels >= 0
        mine, scores = labels[known].astype(np.int64), logits[known, j]
        numbers = ["NA"] * 4
        low = 0.0
        if 0 < mine.sum() < len(mine):
            found = auroc_with_interval(mine, scores, np.random.default_rng(0), 1000)
            auprc = ranking_metrics(mine, scores)[1]
            low = found.low
            numbers = [f"{x:.4f}" for x in (found.value, found.low, found.high, auprc)]
        short, note = plain(name)
        calibrated = card.calibration[j].prevalence is not None
        cells = [
            short,
            int((data.targets[train, j] == 1).sum()),
            int(mine.sum()),
            int(len(mine) - mine.sum()),
            *numbers,
            "yes" if calibrated else "no",
            "yes" if low >= USEFUL and calibrated else "no",
            note,
        ]
        rows.append("\t".join(map(str, cells)))
    return rows


def main() -> None:
    """Score the labels, write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="made with benchmarks/trunk.py")
    parser.add_argument("data", type=Path, help="the dataset that trunk.py made")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    folder = RunDir(options.run).require_model()
    model, card = load_model(folder.model)
    data = open_dataset(options.data).keeping(card.model.outputs)
    logits = predict_logits(model, data.codes, data.indices("test"))
    rows = label_rows(data, card, logits)
    names = tuple(plain(name)[0] for name in card.model.outputs)
    if len(set(names)) < len(names):
        raise SystemExit("two labels have one name without their notes")
    where = {**card.data, "path": "dhs_multitask_200bp.tsv.gz"}
    model.config = replace(model.config, outputs=names)
    card = replace(card, model=replace(card.model, outputs=names), data=where)
    options.out.mkdir(parents=True, exist_ok=True)
    out = RunDir(options.out)
    save_model(out.model, model, card)
    stored = read_json(folder.run_json)
    stored["model"]["outputs"] = list(names)
    write_json(out.run_json, {**stored, "data": where})
    shutil.copyfile(folder.history, out.history)
    out.labels.write_text("\n".join([COLUMNS, *rows]) + "\n", encoding="utf-8")
    SeenWindows.of(data.codes, data.indices("train")).write(options.out / SKETCH)
    table = [row.split("\t") for row in rows]
    factors = [cells for cells in table if not cells[0].startswith("open:")]
    mean = np.mean([float(cells[4]) for cells in factors if cells[4] != "NA"])
    n_use = sum(cells[9] == "yes" for cells in table)
    of_use = f"{n_use} of {len(table)} of use"
    print(f"{len(factors)} labels of factors: mean test AUROC {mean:.4f}; {of_use}")


if __name__ == "__main__":
    main()
