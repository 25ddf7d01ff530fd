"""Scores against a signal: what is only a bump in the middle does not count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyBigWig
import pytest
from PIL import Image

from helpers import LENGTH, only_result
from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import read_json
from wavebind.datasets.dataset import open_dataset
from wavebind.explain.signal import compare_with_signal, read_signal, smooth
from wavebind.models.results import EXPLANATIONS

CLI = Callable[..., tuple[int, str, str]]
POSITION = np.arange(200)


def bumps(centres: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((POSITION - centres[:, None]) / width) ** 2)


def test_scores_that_follow_their_own_signal() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(100, 25, 150)
    signal = bumps(centres, 40) * rng.uniform(1, 9, (150, 1))
    scores = bumps(centres + rng.normal(0, 5, 150), 6) + rng.normal(0, 0.1, (150, 200))
    found = compare_with_signal(scores, signal, np.random.default_rng(1))
    assert found.n_windows == 150
    assert found.scores["value"] > 0.4
    assert found.beyond["low"] > 0.3
    assert found.p < 0.002
    assert abs(found.chance) < 0.1
    assert "follow the signal of their own window" in found.words


def test_a_bump_in_the_middle_says_nothing() -> None:
    """It correlates well with every signal, as that is highest in the middle, too."""
    rng = np.random.default_rng(0)
    signal = bumps(rng.normal(100, 25, 150), 40)
    scores = bumps(np.full(150, 100.0), 6) + rng.normal(0, 0.1, (150, 200))
    found = compare_with_signal(scores, signal, np.random.default_rng(1))
    assert found.scores["value"] > 0.3
    assert abs(found.beyond["value"]) < 0.1
    assert found.p > 0.05
    assert "say nothing about the signal of their own window" in found.words


def test_the_part_beyond_the_bump_against_a_partial_correlation() -> None:
    """Each window's is the partial correlation given the bump, by the textbook formula."""
    rng = np.random.default_rng(2)
    signal, scores = rng.normal(size=(2, 30, 200))
    found = compare_with_signal(scores, signal, np.random.default_rng(1))
    levels = smooth(scores)
    bump = ((signal.T - signal.mean(1)) / signal.std(1)).T.mean(0)

    def partial(x: np.ndarray, y: np.ndarray) -> float:
        r = np.corrcoef([x, y, bump])
        return (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))

    wanted = np.mean([partial(x, y) for x, y in zip(levels, signal, strict=True)])
    assert found.beyond["value"] == pytest.approx(wanted, abs=1e-9)
    plain = np.mean([np.corrcoef(x, y)[0, 1] for x, y in zip(levels, signal, strict=True)])
    assert found.scores["value"] == pytest.approx(plain, abs=1e-9)


def test_windows_without_a_signal_are_counted() -> None:
    rng = np.random.default_rng(3)
    scores, signal = rng.normal(size=(2, 30, 200))
    signal[3] = np.nan
    signal[5] = 7.0
    found = compare_with_signal(scores, signal, rng)
    assert (found.n_windows, found.n_left_out) == (28, 2)
    with pytest.raises(InputError, match="17 of 19 windows have a signal that varies; 20 are"):
        compare_with_signal(scores[:19], signal[:19], rng)


def write_bigwig(path: Path, chroms: dict[str, np.ndarray]) -> Path:
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader([(name, len(values)) for name, values in chroms.items()])
        for name, values in chroms.items():
            known = np.flatnonzero(np.isfinite(values))
            file.addEntries(
                [name] * len(known),
                known.tolist(),
                ends=(known + 1).tolist(),
                values=values[known].tolist(),
            )
    return path


def test_the_signal_of_each_window(trained: tuple[Path, Path], tmp_path: Path) -> None:
    data = open_dataset(trained[1])
    rng = np.random.default_rng(4)
    values = rng.uniform(1, 5, 10_000)
    values[2000:2010] = np.nan
    path = write_bigwig(tmp_path / "s.bw", {"3": values})
    indices = data.indices("test")[:8]
    found = read_signal(path, data, indices)
    for row, index in zip(found, indices, strict=True):
        start = int(data.start[index])
        wanted = np.nan_to_num(values[start : start + LENGTH], nan=0.0)
        if start + LENGTH > len(values):
            assert np.isnan(row).all()
        else:
            np.testing.assert_allclose(row, wanted, rtol=1e-6)
    assert np.isnan(read_signal(path, data, data.indices("train")[:2])).all()


@pytest.mark.slow
def test_explain_with_a_signal_and_films(
    run_copy: tuple[Path, Path], tmp_path: Path, cli: CLI
) -> None:
    run, data = run_copy
    rng = np.random.default_rng(5)
    path = write_bigwig(tmp_path / "s.bw", {"chr3": rng.uniform(1, 5, 400_000)})
    code, _, err = cli(
        "explain",
        run,
        data,
        "--n",
        2,
        "--method",
        "gradcam",
        "--set",
        f"signal={path}",
        "--set",
        "film=true",
    )
    assert code == 0, err
    written = read_json(only_result(run, EXPLANATIONS) / "signal.json")
    assert written["words"] in err
    assert written["n_windows"] > 100
    films = sorted(only_result(run, EXPLANATIONS).glob("*.gif"))
    assert len(films) == 2
    with Image.open(films[0]) as film:
        assert film.n_frames == 3
    assert cli("evaluate", run, data)[0] == 0
    assert cli("report", run)[0] == 0
    page = (run / "report.html").read_text()
    assert "Can these scores be trusted?" in page
    assert f"correlate at {written['scores']['value']:.2f} within a window" in page


@pytest.mark.slow
def test_a_signal_that_is_none(run_copy: tuple[Path, Path], tmp_path: Path, cli: CLI) -> None:
    run, data = run_copy
    text = tmp_path / "x.bw"
    text.write_text("no bigWig at all, but long enough to be looked at\n" * 10)
    words = ["explain", run, data, "--n", 1, "--method", "gradcam"]
    code, _, err = cli(*words, "--set", f"signal={text}")
    assert code == 1
    assert "bigWig" in err
    code, _, err = cli(*words, "--set", f"signal={tmp_path / 'none.bw'}")
    assert code == 1
    assert "none.bw: no such file" in err
    assert cli("explain", run, data, "--check", "--film")[0] == 2
