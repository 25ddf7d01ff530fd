"""What is found, as aligned text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wavebind.datasets.dataset import Dataset
    from wavebind.evaluate.benchmark import Benchmark
    from wavebind.evaluate.compare import Comparison
    from wavebind.evaluate.known_alleles import KnownAlleles
    from wavebind.explain.learned_motifs import FoundMotif
    from wavebind.explain.run import Explained
    from wavebind.models import ModelCard
    from wavebind.tune.search import Tuned


from collections.abc import Sequence

from wavebind.core.jsonfiles import read_json
from wavebind.datasets.splits import PARTS

__all__ = [
    "alleles_table",
    "audit_table",
    "audited_table",
    "benchmark_table",
    "checks_text",
    "comparison_table",
    "dataset_table",
    "explained_text",
    "kept_words",
    "metrics_table",
    "motifs_table",
    "tuned_text",
]


def audit_table(found: Mapping[str, Any]) -> str:
    """The audit as aligned text: each shortcut's AUROC, and the verdict."""
    from wavebind.datasets.audit import WORDS

    width = max(len(words) for words in WORDS.values()) + 2
    lines = [
        f"audit of the {found['split']} split, {found['n_windows']:,} windows, "
        f"{found['n_bound']:,} bound",
        f"{'shortcut':<{width}}{'AUROC':>7}   95 % interval     windows",
    ]
    for name, words in WORDS.items():
        if name in found["shortcuts"]:
            s = found["shortcuts"][name]
            interval = f"{s['low']:.4f} - {s['high']:.4f}"
            lines.append(f"{words:<{width}}{s['value']:>7.4f}   {interval}   {s['n_windows']:>7,}")
        else:
            lines.append(f"{words:<{width}}{'-':>7}   not measured: {found['skipped'][name]}")
    for one in found.get("kmers", ()):
        words = f"the {len(one['kmer'])}-mer {one['kmer']}, either strand"
        interval = f"{one['low']:.4f} - {one['high']:.4f}"
        lines.append(f"{words:<{width}}{one['value']:>7.4f}   {interval}   {one['n_windows']:>7,}")
    return "\n".join([*lines, *(f"* {line}" for line in found["verdict"])])


def _task_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Metrics of classes or of numbers, beside those of composition alone."""
    found = metrics["classes"] or metrics["numbers"]
    if not found:
        return []
    lines = [f"{'metric':<12}{'value':>8}   95 % interval      composition alone"]
    for name in found["composition"]:
        m, other = found[name], found["composition"][name]
        lines.append(
            f"{name:<12}{m['value']:>8.4f}   {m['low']:.4f} - {m['high']:.4f}   "
            f"{other['value']:.4f} ({other['low']:.4f} - {other['high']:.4f})"
        )
    if metrics["classes"]:
        names = found["names"]
        lines.append("true \\ called  " + "".join(f"{name[:11]:>12}" for name in names))
        lines += [
            f"{name[:13]:<15}" + "".join(f"{n:>12,}" for n in row)
            for name, row in zip(names, found["confusion"], strict=True)
        ]
    else:
        lines.append("windows at or above the training median against the others:")
    return lines


def metrics_table(metrics: Mapping[str, Any]) -> str:
    """The metrics of ``metrics.json`` as aligned text, the best shortcut beside them."""
    from wavebind.metrics.binary import METRICS

    lines = _task_lines(metrics)
    for name, m in metrics["outputs"].items():
        lines.append(
            f"{name:<24} AUROC {m['auroc']['value']:.4f} ({m['auroc']['low']:.4f} - "
            f"{m['auroc']['high']:.4f})   AUPRC {m['auprc']['value']:.4f}   best shortcut "
            f"{m['best_shortcut']['value']:.4f}   {m['n_windows']:,} windows, "
            f"{m['n_bound']:,} bound"
        )
    if metrics["outputs"]:
        against = " against all other classes" if metrics.get("classes") else ""
        lines.append(f"{metrics['output']}{against}:")
    lines.append(f"{'metric':<12}{'value':>8}   95 % interval")
    for name in METRICS:
        m = metrics[name]
        lines.append(f"{name:<12}{m['value']:>8.4f}   {m['low']:.4f} - {m['high']:.4f}")
    m = metrics["calibration_error"]
    if m is not None:
        lines.append(f"{'calibration':<12}{m['value']:>8.4f}   {m['low']:.4f} - {m['high']:.4f}")
    floor = metrics.get("calibration_floor")
    if floor is not None:
        lines.append(
            f"{'floor':<12}{floor['value']:>8.4f}   {floor['low']:.4f} - {floor['high']:.4f}   "
            f"(calibration of probabilities that are right, on as many windows)"
        )
    best = metrics["best_shortcut"]
    lines.append(
        f"{'shortcut':<12}{best['value']:>8.4f}   {best['low']:.4f} - {best['high']:.4f}   "
        f"(AUROC of {best['name']} alone)"
    )
    for kind, found in metrics["auroc_by_background"].items():
        lines.append(
            f"{'auroc':<12}{found['value']:>8.4f}   {found['low']:.4f} - {found['high']:.4f}   "
            f"(against {kind} windows alone)"
        )
    rest = metrics.get("without_shared")
    if rest:
        left_out = f"without the {metrics['n_windows'] - rest['n_windows']:,} windows that share a "
        for name in METRICS:
            m = rest[name]
            lines.append(
                f"{name:<12}{m['value']:>8.4f}   {m['low']:.4f} - {m['high']:.4f}   "
                f"({left_out}{rest['k']}-mer with train)"
            )
            left_out = "without windows that share a "
    chosen = "chosen on what each network held out" if metrics.get("n_folds") else "chosen on valid"
    if metrics.get("quantity") == "score":
        chosen = "where the machine parts the classes"
    lines.append(
        f"{metrics['n_windows']:,} windows of the {metrics['split']} split, "
        f"{metrics['n_bound']:,} bound; threshold {metrics['threshold']:.4f} ({chosen}); "
        f"seed {metrics['seed']}"
    )
    return "\n".join(lines)


def comparison_table(found: Comparison) -> str:
    """Models by metrics as aligned text."""
    width = max(len("shortcut"), *(len(entry.label) for entry in found.entries)) + 2
    lines = [
        f"{'model':<{width}}{'AUROC':>6}  95 % interval  {'AUPRC':>6}  95 % interval  {'MCC':>6}"
        f"  {'ECE':>5}  {'floor':>5}  {'seconds':>8}  reference minus model, AUROC"
    ]
    for entry in found.entries:
        result = found.results[entry.label]
        cells = [f"{entry.label:<{width}}"]
        for metric in ("auroc", "auprc"):
            e = result.metrics[metric]
            cells.append(f"{e.value:.4f}  {e.low:.4f}-{e.high:.4f}  ")
        gap = result.behind["auroc"]
        behind = (
            "the reference"
            if entry.label == found.reference
            else f"{gap.value:+.4f}  ({gap.low:+.4f} to {gap.high:+.4f})"
        )
        cells.append(
            f"{result.metrics['mcc'].value:.4f}  {result.metrics['calibration_error'].value:.3f}"
            f"  {result.floor.value:.3f}  {entry.seconds:>8,.0f}  {behind}"
        )
        lines.append("".join(cells))
    best = found.audit["best_shortcut"]
    lines.append(
        f"{'shortcut':<{width}}{best['value']:.4f}  {best['low']:.4f}-{best['high']:.4f}  "
        f"({best['name']} alone)"
    )
    part, seeds = found.settings["part"], found.settings["seeds"]
    lines.append(
        f"{len(found.labels):,} windows of the {part} split, {int((found.labels == 1).sum()):,} "
        f"bound; seeds {', '.join(map(str, seeds))}; thresholds and calibration from valid"
    )
    lines.append(
        "ECE: expected calibration error; floor: what it would be if the probabilities were right"
    )
    return "\n".join(lines)


def benchmark_table(found: Benchmark) -> str:
    """AUROC of models by datasets as aligned text."""
    models = found.models
    first = max(len("mean rank"), *(len(name) for name in found.names)) + 2
    width = max(22, *(len(model) + 2 for model in models))
    lines = [f"{'dataset':<{first}}" + "".join(f"{m:<{width}}" for m in models) + "shortcut"]
    for name, one in found.comparisons.items():
        cells = []
        for model in models:
            e = one.results[model].metrics["auroc"]
            cells.append(f"{f'{e.value:.4f} {e.low:.4f}-{e.high:.4f}':<{width}}")
        lines.append(f"{name:<{first}}{''.join(cells)}{one.audit['best_shortcut']['value']:.4f}")
    ranks = dict(zip(found.ranking.models, found.ranking.ranks, strict=True))
    lines.append(
        f"{'mean rank':<{first}}" + "".join(f"{f'{ranks[m]:.2f}':<{width}}" for m in models)
    )
    for model, matrix in found.cross.items():
        lines.append(f"{model}: AUROC, trained on (rows), tested on (columns)")
        lines.append(f"{'':<{first}}" + "".join(f"{name[:12]:<14}" for name in found.names))
        lines += [
            f"{a:<{first}}" + "".join(f"{f'{matrix[a, b].value:.4f}':<14}" for b in found.names)
            for a in found.names
        ]
    return "\n".join(lines)


def dataset_table(data: Dataset) -> str:
    """Windows of each class and split, and what was dropped, as aligned text."""
    found = data.description
    lines = [f"{found['n_windows']:,} windows of {found['length']} bp"]
    lines.append(f"{'split':<8}{'bound':>10}{'unbound':>10}")
    lines += [
        f"{part:<8}{found['counts'][part]['bound']:>10,}{found['counts'][part]['unbound']:>10,}"
        for part in PARTS
    ]
    dropped = [f"dropped: {n:,} ({why})" for why, n in found["dropped"].items()]
    return "\n".join([*lines, *(dropped or ["dropped: none"])])


def audited_table(data: Dataset) -> str:
    """What a dataset holds, and its audit."""
    return f"{dataset_table(data)}\n{audit_table(read_json(data.path / 'audit.json'))}"


def kept_words(card: ModelCard) -> str:
    """Which epoch of a training was kept, and its metrics on valid."""
    shown = {
        "pearson": "Pearson",
        "spearman": "Spearman",
        "auroc": "AUROC",
        "auprc": "AUPRC",
        "accuracy": "accuracy",
        "macro_f1": "macro F1",
    }
    words = ", ".join(f"{shown[k]} {card.valid[k]:.4f}" for k in shown if k in card.valid)
    kept = f"kept epoch {card.epoch}: valid"
    if card.n_folds:
        kept = f"mean of {card.n_folds} networks; each by itself, on what it held out:"
    return f"{kept} {words}; threshold {card.threshold:.4f}"


def explained_text(explained: Explained) -> str:
    """How many windows were explained, and where their mean score peaks."""
    length, peak = explained.codes.shape[1], int(explained.mean_profile.argmax())
    return (
        f"{len(explained.names)} windows explained by {explained.method}; the mean score of "
        f"{explained.n_mean:,} {explained.kind} peaks at base {peak} of {length} "
        f"(middle: {length // 2})"
    )


def checks_text(found: Mapping[str, Any]) -> str:
    """What the checks of explanations found, a sentence a check."""
    known = found["motif"]
    lines = [
        f"{found['n_windows']:,} bound windows of {found['split']} with a hit of "
        f"{known['identifier']} {known['name']}"
    ]
    for method, checks in found["methods"].items():
        lines += [f"{method}:", *(f"* {sentence}" for sentence in checks["words"].values())]
    return "\n".join(lines)


def motifs_table(motifs: Sequence[FoundMotif]) -> str:
    """Learnt motifs with their best match, as aligned text."""
    lines = [f"{'motif':<10}{'sites':>7}{'windows':>9}  {'best match':<28}{'q':>9}  consensus"]
    for item in motifs:
        best = item.matches[0]
        letters = "".join("ACGT"[i] for i in item.motif.counts.argmax(axis=1))
        lines.append(
            f"{item.motif.identifier:<10}{item.n_sites:>7,}{item.share:>9.1%}  "
            f"{best.identifier + ' ' + best.name:<28}{best.q:>9.1e}  {letters}"
        )
    return "\n".join(lines)


def tuned_text(found: Tuned, n_trials: int) -> str:
    """How far a search has come, and its best trial."""
    still = f", {found.running} still run elsewhere" if found.running else ""
    text = f"{found.ended} of {n_trials} trials ended{still}"
    if found.best is not None:
        text += f"\nbest: trial {found.best.number}, valid {found.score} {found.best.value:.4f}"
    return text


def alleles_table(found: KnownAlleles) -> str:
    """How well scores agree with a measurement, as aligned text."""
    first = next(iter(found.accuracy.values()))
    width = max(len("score"), *map(len, found.accuracy)) + 2
    lines = [
        f"{first.n:,} alleles measured and scored, {first.n_more:,} with more binding on ALT "
        f"({found.scale})",
        f"{'score':<{width}}{'direction':>9}   95 % interval     {'rank':>6}   95 % interval",
    ]
    for name, one in found.accuracy.items():
        d, c = one.direction, one.correlation
        lines.append(
            f"{name:<{width}}{d.value:>9.4f}   {d.low:.4f} - {d.high:.4f}   {c.value:>6.3f}   "
            f"{c.low:.3f} - {c.high:.3f}"
        )
    lines.append("direction: AUROC of more binding on ALT against less; rank: Spearman")
    return "\n".join([*lines, *found.notes])
