"""What a page says first."""

from wavebind.report.study_parts import in_short

METRICS = {
    "n_windows": 1_200, "n_bound": 300, "split": "test",
    "auroc": {"value": 0.9512, "low": 0.94, "high": 0.96},
    "best_shortcut": {"name": "gc", "value": 0.61, "low": 0.6, "high": 0.62},
}  # fmt: skip


def motif(name: str, q: float, share: float, *, for_binding: bool = True) -> dict[str, object]:
    best = {"name": name, "identifier": f"MA.{name}", "q": q}
    return {"motif": f"m{share}", "for_binding": for_binding, "share": share, "matches": [best]}


def test_how_well_and_compared_with_what():
    comparison = {
        "models_found": [
            {"label": "jaspar", "metrics": {"auroc": {"value": 0.9, "low": 0.89, "high": 0.91}}},
            {"label": "own", "metrics": {"auroc": {"value": 0.8, "low": 0.79, "high": 0.81}}},
        ]
    }
    first, second, third = in_short(METRICS, comparison, None)
    assert "of 1,200 test windows, 300 bound" in first
    assert "0.951 (0.940-0.960)" in first
    assert second == (
        "Compared with: best JASPAR matrix 0.900 (0.890-0.910); own 0.800 (0.790-0.810); "
        "GC content alone 0.610 (0.600-0.620), on the same windows."
    )
    assert "'wavebind motifs RUN DATA' finds it" in third


def test_a_matrix_is_named_once():
    found = [
        motif("CTCF", 1e-16, 0.95),
        motif("CTCF", 1e-19, 0.11),
        motif("none", 0.6, 0.4),
        motif("SP1", 1e-9, 0.3, for_binding=False),
        motif("REST", 1e-3, 0.2),
        motif("YY1", 1e-3, 0.1),
    ]
    third = in_short(METRICS, None, {"motifs": found})[2]
    assert third == (
        "What was learnt: CTCF (MA.CTCF, q 1e-16) in 95% of the bound windows; a motif unlike "
        "those of JASPAR in 40% of the bound windows; REST (MA.REST, q 0.001) in 20% of the bound "
        "windows."
    )
    assert in_short(METRICS, None, {"motifs": found[3:4]})[2] == (
        "What was learnt: no motif that speaks for binding."
    )
