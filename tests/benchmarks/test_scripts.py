"""The benchmark scripts run, on whatever device there is."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pyBigWig
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from benchmark_calls import BENCHMARKS, call, fails
from genome_files import fasta_text
from helpers import LENGTH, MOTIF, random_dna
from wavebind.datasets.dataset import open_dataset
from wavebind.explain.attribution import METHODS
from wavebind.metrics.reliability import reliability_curve
from wavebind.models.prediction import load_run, predict_logits
from wavebind.training.recipes import load_recipe


@pytest.mark.slow
def test_the_device_benchmark_prints_its_table():
    words = [sys.executable, BENCHMARKS / "gpu.py", "--device", "cpu", "--batch", "4"]
    words += ["--size", "32", "--seconds", "0.05", "--bases", "9000", "--blocks", "2048", "8192"]
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.match(r"CPU, torch .*, matrix product \d+\.\d\d TFLOP/s", lines[0])
    every = [re.split(r"\s{2,}", line) for line in lines[2:]]
    passes = [row for row in every if row[0].startswith("passes of")]
    assert {row[0] for row in passes} == {"passes of 2,048 bases", "passes of 8,192 bases"}
    rows = [row for row in every if row[0].startswith(("scalenet", "resnet50"))]
    assert len(rows) == 9
    for name, what, rate, share, seconds in rows:
        assert name.startswith(("scalenet", "resnet50"))
        assert what in ("transform", "predict", "train")
        windows = float(rate.replace(",", ""))
        assert windows > 0
        assert 0 <= float(share.rstrip("%")) < 120
        # Both are rounded, the rate to whole windows or, below ten, to two places.
        half = 0.6 if windows >= 10 else 0.006
        assert abs(float(seconds) - 20_000 / windows) < 0.06 + half * float(seconds) / windows


@pytest.mark.slow
def test_an_epoch_is_the_sum_of_its_parts(trained):
    words = [sys.executable, BENCHMARKS / "epoch.py", trained[1], "--epochs", "1"]
    words += ["--device", "cpu"]
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    whole = float(re.fullmatch(r"1 epochs, (\d+\.\d) s", head)[1])
    found = {row[:12].strip(): float(row[12:21]) for row in rows}
    assert list(found) == ["forward", "backward", "optimizer", "the rest"]
    assert found["forward"] > 0
    assert found["backward"] > 0
    assert abs(sum(found.values()) - whole) < 0.3


@pytest.mark.slow
def test_fronts_are_compared(trained, tmp_path):
    table = call(
        "fronts.py", trained[1], "--out", tmp_path, "--epochs", 1,
        "--fronts", "wavelets", "signal", "--shrink", 8,
    )  # fmt: skip
    found = json.loads((tmp_path / "all" / "comparison.json").read_text())
    small = {m["label"]: m["n_parameters"] for m in found["models_found"]}
    for name, width in (("wavelets", 4), ("signal", 8)):
        recipe = load_recipe(str(tmp_path / f"{name}.toml"))
        assert (recipe.options["band_width"], recipe.options["position_width"]) == (width, 16)
        assert small[name] < 10_000
    assert re.search(r"^wavelets +0\.\d{4} .*the reference$", table, re.MULTILINE)
    assert re.search(r"^signal +0\.\d{4} ", table, re.MULTILINE)
    assert "300 windows of the valid split" in table


@pytest.mark.slow
def test_a_scan_against_peaks(trained, tmp_path, monkeypatch):
    """Bins, labels and AUPRC again, from the bigWig and the peaks alone."""
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    letters = list(random_dna(rng, 9600))
    places = range(5 * LENGTH, 9600 - LENGTH, 10 * LENGTH)
    for at in places:
        letters[at + 10 : at + 10 + len(MOTIF)] = MOTIF
    letters[4000:4100] = "N" * 100
    (tmp_path / "g.fa").write_text(fasta_text({"chr9": "".join(letters)}))
    (tmp_path / "p.bed").write_text("".join(f"chr9\t{a}\t{a + 60}\n" for a in places))
    (tmp_path / "open.bed").write_text("chr9\t0\t5000\n")
    out = call(
        "genome_scan.py", trained[0], tmp_path / "g.fa", "--chrom", "chr9", "--peaks",
        tmp_path / "p.bed", "--open", tmp_path / "open.bed", "--out", tmp_path / "s.bw",
        "--sample", 32, "--stride", 8, "--region", "500-3500",
    )  # fmt: skip
    assert re.search(r"one thread, stride 8: windows by themselves 0\.\d+ Mb/s, a stretch", out)
    with pyBigWig.open(str(tmp_path / "s.bw")) as track:
        values = np.nan_to_num(track.values("chr9", 0, 9600, numpy=True))
    labels, scores = [], []
    for start in range(0, 9600, LENGTH):
        piece = range(start, start + LENGTH)
        bound = any(a + 30 in piece for a in places)
        touched = any(set(range(a, a + 60)) & set(piece) for a in places)
        if (bound or not touched) and not set(piece) & set(range(4000, 4100)):
            labels.append(int(bound))
            scores.append(values[start : start + LENGTH].max())
    assert f"all known: {len(labels):,} bins of 48 bp, {sum(labels):,} bound" in out
    found = json.loads((tmp_path / "s.json").read_text())
    for precision in ("float32", "default precision"):
        assert f"370 windows, {precision}: logits apart by" in out
    exact = found["both ways"]["float32"]
    assert exact["apart, median, 99 %, most"][2] < 1e-3
    assert exact["sites"] == exact["sites of windows"] != []
    wanted = average_precision_score(labels, scores)
    assert found["all known, wavebind scan"]["AUPRC"][0] == pytest.approx(wanted, abs=1e-6)
    assert wanted > 0.3
    # The planted motif is CTCF's, so its matrix finds every site.
    assert found["all known, MA0139.1"]["AUPRC"][0] > 0.5


@pytest.mark.slow
def test_the_tasks_benchmark_learns_classes_and_numbers(tmp_path):
    rng = np.random.default_rng(0)
    motifs = {"one": MOTIF, "two": "GATGACTCATCGGA"}
    header = "chrom\tstart\tend\tlabel\tsplit\tsignal\tseq"
    paths = []
    for k, (name, motif) in enumerate(motifs.items()):
        lines = [header]
        for i in range(120):
            part, label = ("train", "valid", "test")[i % 3], i // 3 % 2
            seq = random_dna(rng, LENGTH)
            if label:
                seq = seq[:9] + motif + seq[9 + len(motif) :]
            start = 1000 * i + 100 * k
            # The first window is bound by both, and must not be of either class.
            start = 3000 if i == 3 else start
            cells = (f"chr{i % 3}", start, start + LENGTH, label, part, 4.0 + i % 7, seq)
            lines.append("\t".join(map(str, cells)))
        paths.append(tmp_path / f"{name}.tsv")
        paths[-1].write_text("\n".join(lines) + "\n")
    out = call(
        "tasks.py",
        *("--table", f"one={paths[0]}", "--table", f"two={paths[1]}"),
        *("--signal", f"{paths[0]}:signal", "--out", tmp_path / "out", "--epochs", "2"),
    )
    lines = out.splitlines()
    assert re.fullmatch(r"classes: \d+ test windows, epoch [12]", lines[0])
    assert any(line.startswith("macro_f1") for line in lines)
    assert any(line.startswith("spearman") for line in lines)
    assert any(line.startswith("AUROC of two") for line in lines)
    table = (tmp_path / "out" / "classes.tsv").read_text()
    assert "\t3000\t" not in table
    numbers = (tmp_path / "out" / "numbers.tsv").read_text().splitlines()[1].split("\t")
    assert 2 <= float(numbers[4]) <= np.log2(10)


@pytest.mark.slow
def test_the_explanations_benchmark_has_a_row_for_every_method(trained):
    lines = call("explanations.py", *trained, "--windows", "20", "--few", "8").splitlines()
    assert lines[1].split() == ["method", "windows", "seconds", "for", "1,000"]
    rows = {line.split()[0]: line.split() for line in lines[2:]}
    assert set(rows) == set(METHODS)
    for method, row in rows.items():
        n = 20 if method.startswith(("gradcam", "layercam")) else 8
        assert int(row[1]) == n
        seconds, scaled = float(row[2]), float(row[3].replace(",", ""))
        assert abs(scaled - 1000 * seconds / n) <= 0.06 * 1000 / n + 1
        assert row[4] == "(scaled)"


@pytest.mark.slow
def test_averages_over_runs_and_shifts(trained, tmp_path):
    run, folder = trained
    other = tmp_path / "other"
    shutil.copytree(run, other)
    lines = call("averages.py", folder, run, other, "--shift", "2").splitlines()
    data = open_dataset(folder)
    labels = data.labels[data.indices("valid")]
    assert lines[0] == f"{len(labels)} windows of valid, {int(labels.sum())} bound"
    rows = {line[:24].strip(): line[24:].split() for line in lines[2:]}
    assert list(rows) == [
        *("run", "run, shifts", "other", "other, shifts", "mean of 2", "mean of 2, shifts")
    ]
    model, _ = load_run(run, data)
    codes = np.asarray(data.codes[data.indices("valid")])
    right, left = np.full_like(codes, 4), np.full_like(codes, 4)
    right[:, 2:], left[:, :-2] = codes[:, :-2], codes[:, 2:]
    logits = [predict_logits(model, c) for c in (codes, right, left)]
    for name in ("run", "other", "mean of 2"):
        assert float(rows[name][0]) == pytest.approx(roc_auc_score(labels, logits[0]), abs=6e-5)
        shifted = roc_auc_score(labels, np.mean(logits, axis=0))
        assert float(rows[f"{name}, shifts"][0]) == pytest.approx(shifted, abs=6e-5)


@pytest.mark.slow
def test_calibration_on_another_chromosome(trained, tmp_path):
    from wavebind.cli.main import run as run_cli

    folder, out = trained[1], tmp_path / "cmp"
    arguments = ["compare", str(folder), "--models", "jaspar:CTCF,cnn", "--seeds", "1,2"]
    assert run_cli([*arguments, "--epochs", "1", "--out", str(out), "--device", "cpu"]) == 0
    lines = call("calibration.py", folder, out).splitlines()
    data = open_dataset(folder)
    valid = (data.labels[data.indices("valid")] == 1).mean()
    windows = pq.read_table(out / "windows.parquet").to_pydict()
    y = np.array(windows["label"])
    assert lines[0].endswith(f"{y.mean():.3f}; valid {valid:.3f}")
    rows = {line.split()[0]: [float(x) for x in re.findall(r"[\d.]+", line)] for line in lines[2:]}
    assert list(rows) == ["jaspar:CTCF", "cnn"]
    p = np.stack([windows["cnn:0"], windows["cnn:1"]])
    odds = p / (1 - p) * (y.mean() / (1 - y.mean())) / (valid / (1 - valid))
    error, mean, low, high, average, corrected, matched = rows["cnn"]
    assert error == pytest.approx(np.mean([reliability_curve(y, q).error for q in p]), abs=6e-5)
    assert low < mean < high
    assert average == pytest.approx(p.mean(), abs=6e-4)
    expected = np.mean([reliability_curve(y, q / (1 + q)).error for q in odds])
    assert corrected == pytest.approx(expected, abs=6e-5)
    shifted = []
    for q in p:
        steps = np.linspace(-8, 8, 16_001)
        means = [float((q / (q + (1 - q) * np.exp(-s))).mean()) for s in steps[::100]]
        coarse = steps[::100][np.argmin(np.abs(np.array(means) - y.mean()))]
        near = steps[np.abs(steps - coarse) <= 0.1]
        means = [float((q / (q + (1 - q) * np.exp(-s))).mean()) for s in near]
        best = near[np.argmin(np.abs(np.array(means) - y.mean()))]
        shifted.append(reliability_curve(y, q / (q + (1 - q) * np.exp(-best))).error)
    assert matched == pytest.approx(np.mean(shifted), abs=1e-3)

    lines = call("calibration.py", folder, out, "--methods").splitlines()
    assert lines[0].split()[3:] == ["line", "isotonic", "beta", "quadratic"]
    assert [line.split("_")[0] for line in lines[1:]] == ["cnn", "cnn", "jaspar"]
    valid_labels = (data.labels[data.indices("valid")] == 1).astype(int)
    for line in lines[1:]:
        name, *losses = line.split()
        scores = np.load(out / "models" / name / "scores.npz")["valid"]
        fold = np.random.default_rng(0).integers(0, 10, len(scores))
        for found, terms in (
            (losses[0], scores[:, None]),
            (losses[3], np.column_stack([scores, scores**2])),
        ):
            total = 0.0
            for k in range(10):
                model = LogisticRegression(C=1e6, max_iter=1000)
                model.fit(terms[fold != k], valid_labels[fold != k])
                p = model.predict_proba(terms[fold == k])
                total += log_loss(valid_labels[fold == k], p, labels=[0, 1], normalize=False)
            # The package's line is fitted to smoothed targets.
            assert float(found) == pytest.approx(total / len(scores), rel=0.05)


@pytest.mark.slow
def test_comparisons_that_say_nothing_of_calibration_elsewhere(trained, tmp_path):
    from wavebind.cli.main import run as run_cli

    out = tmp_path / "cmp"
    arguments = ["compare", str(trained[1]), "--models", "jaspar:CTCF", "--split", "valid"]
    assert run_cli([*arguments, "--out", str(out)]) == 0
    message = fails("calibration.py", trained[1], out)
    assert "cmp: is of valid, where it was calibrated; compare with --split test" in message
    stored = json.loads((out / "comparison.json").read_text())
    stored["data"]["codes_sha256"] = "0"
    (out / "comparison.json").write_text(json.dumps(stored))
    assert "cmp: is of other windows than " in fails("calibration.py", trained[1], out)


def test_a_network_cannot_be_shrunk_by_nothing(trained, tmp_path):
    message = fails("fronts.py", trained[1], "--out", tmp_path / "f", "--shrink", 0)
    assert "--shrink is 1 or more; found 0" in message
    assert not (tmp_path / "f").exists()


@pytest.mark.slow
def test_parts_of_the_plane(trained, tmp_path):
    from wavebind.cli.main import run as run_cli

    folder, run = trained[1], tmp_path / "wavelets"
    words = ["train", folder, "--recipe", "small", "--epochs", "2", "--out", run]
    assert run_cli([str(word) for word in words]) == 0
    lines = call("planes.py", run, folder).splitlines()
    data = open_dataset(folder)
    model, _ = load_run(run, data)
    indices = data.indices("valid")
    labels = data.labels[indices]
    whole = roc_auc_score(labels, predict_logits(model, data.codes, indices))
    assert float(lines[2].split()[-1]) == pytest.approx(whole, abs=6e-5)
    rows = {line[:32].strip(): [float(x) for x in line[32:].split()] for line in lines[3:]}
    n_octaves = int(np.ceil(np.log2(model.periods.max() / model.periods.min()) - 1e-9))
    assert len(rows) == n_octaves + 2 + 4
    for without, change, alone in rows.values():
        assert change == pytest.approx(without - whole, abs=1.1e-4)
        assert 0 <= alone <= 1
    # Motifs lie anywhere; the middle half of the window has more of them than its edges.
    assert rows["0 to 6 bp from the middle"][1] < rows["18 to 24 bp from the middle"][1]
    # By hand: without the imaginary parts.
    planes = model.features(torch.from_numpy(np.asarray(data.codes[indices])))
    planes[:, 1::2] = 0
    with torch.inference_mode():
        one = model.from_features(planes)
        other = model.features(
            torch.from_numpy(3 - np.asarray(data.codes[indices])[:, ::-1].copy())
        )
        other[:, 1::2] = 0
        logits = (one + model.from_features(other)).numpy()
    assert rows["the imag parts"][0] == pytest.approx(roc_auc_score(labels, logits), abs=2e-3)
