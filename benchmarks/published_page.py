"""The pages of the field's benchmarks, from what ``published.py`` measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

#: Figures that were published, times 100 the MCC of GUE, and the AUROC of FastSK; with what the
#: rows are called, and where they stand.
PUBLISHED: dict[str, dict[str, float]] = {
    "tf_0": {"DNABERT-2": 72.0, "NT 2500M": 66.3, "HyenaDNA": 63.0, "best small": 65.8},
    "tf_1": {"DNABERT-2": 76.1, "NT 2500M": 68.3, "HyenaDNA": 62.1, "best small": 69.1},
    "tf_2": {"DNABERT-2": 66.5, "NT 2500M": 58.7, "HyenaDNA": 59.7, "best small": 63.1},
    "mouse_0": {},
    "mouse_2": {},
    "CTCF": {"FastSK": 0.970, "gkmSVM": 0.971, "CharCNN": 0.945},
    "JUND": {"FastSK": 0.969, "gkmSVM": 0.968, "CharCNN": 0.932},
    "KAT2B": {"FastSK": 0.922, "gkmSVM": 0.921, "CharCNN": 0.871},
    "TP53": {"FastSK": 0.824, "gkmSVM": 0.807, "CharCNN": 0.778},
    "ZZZ3": {"FastSK": 0.963, "gkmSVM": 0.962, "CharCNN": 0.937},
}
GUE = ("tf_0", "tf_1", "tf_2", "mouse_0", "mouse_2")
SHARED_K = 31
_ABOUT = (
    "What others' benchmarks give, and what a shortcut reaches on the same windows. GUE: MCC",
    "times 100 at a probability of 0.5 that is calibrated on dev. FastSK: AUROC. Each has its 95 %",
    "interval over test windows; of several seeds it is the mean.",
    "",
    "- *Apart* leaves out the test windows that share a 31-mer with train.",
    "- *Unseen* leaves out those that the package's model has seen, by sequence. Rows that begin",
    "  with its weights count there alone.",
    "- The threshold of 0.5 was chosen on dev: on halves of dev its MCC is 0.008 above that of the",
    "  threshold with the largest MCC. Test had been scored with the other threshold before.",
    "- Seconds are those of one seed.",
)
_SOURCES = (
    "Published figures are those of Zhou et al. 2024 (ICLR, DNABERT-2) and Blakely et al. 2020",
    "(Bioinformatics 36:i857, FastSK).",
)
#: A page of sets each, under its title.
_GROUPS = {
    "gue-human": ("GUE, human", ("tf_0", "tf_1", "tf_2")),
    "gue-mouse": ("GUE, mouse", ("mouse_0", "mouse_2")),
    "fastsk": ("FastSK, CTCF and JUND", ("CTCF", "JUND")),
    "fastsk-more": ("FastSK, KAT2B, TP53 and ZZZ3", ("KAT2B", "TP53", "ZZZ3")),
}


def figure(entry: dict[str, Any] | None, name: str, *, plain: bool = False) -> str:
    """A figure as it stands in the table."""
    if not entry:
        return "-"
    metric, scale, digits = ("mcc", 100, 1) if name in GUE else ("auroc", 1, 3)
    e = entry[metric]
    text = f"{scale * e['value']:.{digits}f}"
    if plain:
        return text
    return f"{text} ({scale * e['low']:.{digits}f}-{scale * e['high']:.{digits}f})"


def difference(one: dict[str, Any]) -> str:
    """In what dev and test differ, in a sentence or two."""
    parts = [
        f"mean GC of {word} windows {d['valid_gc']:.3f} on dev and {d['test_gc']:.3f} on test, "
        f"told apart by dinucleotides with an AUROC of {d['auroc']:.2f}"
        for word, d in one["dev_and_test"].items()
    ]
    return f"Dev beside test: {'; '.join(parts)}."


def kernel_words(one: dict[str, Any], name: str) -> list[str]:
    """Where gapped k-mers win: how much of that is windows that share sequence with train."""
    metric = "mcc" if name in GUE else "auroc"
    networks = [row for row in one["all"] if row.startswith(("default", "cnn", "mean of"))]
    if "gkm-all" not in one["all"] or not networks:
        return []
    best = max(networks, key=lambda row: one["all"][row][metric]["value"])
    ahead = one["all"]["gkm-all"][metric]["value"] - one["all"][best][metric]["value"]
    apart = one["apart"]["gkm-all"][metric]["value"] - one["apart"][best][metric]["value"]
    if ahead <= 0:
        return []
    return [
        "",
        f"The kernel is ahead of the best network by {ahead:.3f} on all windows. "
        f"On those that share no 31-mer with train it is by {apart:.3f}. That network is: {best}.",
    ]


def row_name(label: str) -> str:
    """What a row is called."""
    if label.startswith("mean of "):
        every = " and all seeds"
        members = label.removeprefix("mean of ").removesuffix(every).replace(" and ", ", ")
        return f"mean of {members}{', all seeds' if label.endswith(every) else ''}"
    return label


def write_pages(
    path: Path, found: Mapping[str, dict[str, Any]], command: str, notes: Sequence[str] = ()
) -> None:
    """A page with one row a set, and a page for each group of sets beside it.

    Parameters
    ----------
    path : pathlib.Path
        As ``docs/results/published.md``; the others are ``published-GROUP.md``.
    found : mapping
        By set what ``published.py`` measured.
    command : str
        That measured it.
    notes : sequence of str
        On how it was measured.
    """
    groups = {
        key: (title, {name: found[name] for name in names if name in found})
        for key, (title, names) in _GROUPS.items()
    }
    about = [*_ABOUT, *(f"- {note}" for note in notes)]
    lines = ["# The field's benchmarks", "", *about, "", f"```console\n$ {command}\n```", ""]
    for key, (title, sets) in groups.items():
        if not sets:
            continue
        lines += [f"## [{title}]({path.stem}-{key}.md)", "", *summary(sets), *means(sets), ""]
        lines += [*worth(sets), ""]
        body = [line for name, one in sets.items() for line in section(name, one)]
        text = "\n".join([f"# {title}", "", f"[What the columns mean]({path.name}).", "", *body])
        (path.parent / f"{path.stem}-{key}.md").write_text(text, encoding="utf-8")
    missing = [name for _, names in _GROUPS.values() for name in names if name not in found]
    if missing:
        lines += [f"Not measured yet: {', '.join(missing)}.", ""]
    path.write_text("\n".join([*lines, *_SOURCES, ""]), encoding="utf-8")


def summary(sets: Mapping[str, dict[str, Any]]) -> list[str]:
    """One row a set: the best published figure, the shortcuts, and the best row chosen on dev."""
    lines = [
        "| set | best published | dinucleotides alone | twins alone | gapped k-mers "
        "| network, best on dev | which |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in sets.items():
        told = PUBLISHED[name]
        networks = [r for r in one["on_valid"] if r.startswith(("default", "cnn", "mean of"))]
        if not networks:
            continue
        best = max(networks, key=lambda row: one["on_valid"][row])
        part = "unseen" if best in one["begun_with_weights"] else "all"
        published = f"{max(told.values()):g}" if told else "-"
        twins = figure(one["twins"], name) if one["twins"] else "-"
        kernel = figure(one["all"].get("gkm-all"), name)
        lines.append(
            f"| {name} | {published} | {figure(one['all']['dinucleotides'], name)} | {twins} | "
            f"{kernel} | {figure(one[part][best], name)} | {row_name(best)}, {part} |"
        )
    return lines


def means(sets: Mapping[str, dict[str, Any]]) -> list[str]:
    """Means over sets that have one published model in common, in a sentence a row."""
    told = [PUBLISHED[name] for name in sets if PUBLISHED[name]]
    if len(told) < 2 or len(told) < len(sets) or not set(sets) <= set(GUE):
        return []
    common = set.intersection(*({*one["all"]} for one in sets.values()))
    rows = [row for row in next(iter(sets.values()))["all"] if row in common]
    figures = []
    for row in rows:
        text = f"{row_name(row)} {_mean_mcc(sets, 'all', row):.1f}"
        if all(row in one["begun_with_weights"] for one in sets.values()):
            text += f" ({_mean_mcc(sets, 'unseen', row):.1f} unseen)"
        figures.append(text)
    others = [
        f"{who} {np.mean([one[who] for one in told]):.1f}"
        for who in told[0]
        if all(who in one for one in told)
    ]
    return ["", f"Means of the {len(sets)} sets: {'; '.join([*figures, *others])}."]


def _mean_mcc(sets: Mapping[str, dict[str, Any]], part: str, row: str) -> float:
    return float(np.mean([100 * one[part][row]["mcc"]["value"] for one in sets.values()]))


def worth(sets: Mapping[str, dict[str, Any]]) -> list[str]:
    """What a published figure is worth: how much of it make-up alone explains."""
    found = []
    for name, one in sets.items():
        if not PUBLISHED[name]:
            continue
        who, best = max(PUBLISHED[name].items(), key=lambda told: told[1])
        alone = figure(one["all"]["dinucleotides"], name, plain=True)
        what = "an MCC" if name in GUE else "an AUROC"
        found.append(
            f"- {name}: of {who}'s {best:g}, sixteen dinucleotide frequencies reach {what} of "
            f"{alone}."
        )
    return found


def section(name: str, one: dict[str, Any]) -> list[str]:
    """A set with all its rows."""
    windows = one["windows"]
    train, test = windows["train"], windows["test"]
    trained = set(one["begun_with_weights"])
    n_test = test["bound"] + test["unbound"]
    lines = [
        f"## {name}",
        "",
        f"{train['bound']:,} bound and {train['unbound']:,} unbound training windows of "
        f"{one['length']} bp. Of {n_test:,} test windows {test['bound']:,} are bound, "
        f"{one['n_sharing']:,} share a 31-mer with train, {one['n_seen']:,} were seen by the "
        f"package's model. Seeds {', '.join(map(str, one['seeds']))}.",
        "",
        "| row | all | apart | unseen | AUROC, dev | test | weights | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    if one["twins"]:
        twin = figure(one["twins"], name)
        lines.append(f"| the opposite of the twin in train | {twin} | - | - | - | - | 0 | 0 |")
    for label, entry in one["all"].items():
        cost, valid = one["costs"][label], one["on_valid"].get(label)
        whole = "-" if label in trained else figure(entry, name)
        apart = "-" if label in trained else figure(one["apart"].get(label), name)
        dev = "-" if valid is None else f"{valid:.3f}"
        lines.append(
            f"| {row_name(label)} | {whole} | {apart} | {figure(one['unseen'].get(label), name)} | "
            f"{dev} | {entry['auroc']['value']:.3f} | {cost['weights']:,.0f} | "
            f"{cost['seconds']:,.0f} |"
        )
    for label, value in PUBLISHED[name].items():
        lines.append(f"| *{label}, published* | {value:g} | - | - | - | - | - | - |")
    # What would mend it is said by 'wavebind audit'.
    said = [first(sentence) for sentence in one["verdict"][:2]]
    return [
        *lines,
        "",
        difference(one),
        *kernel_words(one, name),
        "",
        *(f"- {s}" for s in said),
        "",
    ]


def first(sentence: str) -> str:
    """A sentence of the audit without its remedy, which 'wavebind audit' gives."""
    return sentence.split("; ")[0].rstrip(".") + "."
