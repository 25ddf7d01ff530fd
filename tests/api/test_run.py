"""A run from Python: the numbers of the commands, as tables and arrays that draw themselves."""

import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import wavebind as wb
from genome_files import random_genome, write_genome
from helpers import metrics_of, planted_rows
from wavebind.core.errors import InputError
from wavebind.genome.sequences import to_codes
from wavebind.models import load_model
from wavebind.models.prediction import predict_logits

mpl.use("Agg")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def run(trained):
    return wb.load(trained[0], device="cpu")


@pytest.fixture(scope="module")
def windows():
    return [row[5] for row in planted_rows(3, seed=8)[:6]]


def test_strings_tables_and_datasets_give_the_numbers_of_the_command(
    run, trained, windows, cli, tmp_path
):
    found = run.predict(windows)
    assert found.columns.tolist() == ["name", "logit", "probability", "bound"]
    fasta = tmp_path / "w.fa"
    fasta.write_text("".join(f">{i}\n{s}\n" for i, s in enumerate(windows)))
    code, out, _ = cli("predict", trained[0], fasta)
    assert code == 0
    told = pd.read_csv(io.StringIO(out), sep="\t")
    np.testing.assert_allclose(found["probability"], told["probability"], atol=5e-6)
    frame = pd.DataFrame({"name": list("abcdef"), "seq": windows})
    named = run.predict(frame)
    assert named["name"].tolist() == list("abcdef")
    np.testing.assert_array_equal(named["logit"], found["logit"])
    # What it is: the logits of the network, on the line that valid gave.
    model, card = load_model(trained[0] / "model.safetensors")
    logits = predict_logits(model, np.stack([to_codes(s) for s in windows]))
    np.testing.assert_array_equal(found["logit"], logits)
    line = card.calibration[0]
    np.testing.assert_allclose(found["probability"], expit(line.slope * logits + line.intercept))
    np.testing.assert_array_equal(found["bound"], found["probability"] >= card.threshold)
    data = wb.open_dataset(trained[1])
    rows = data.indices("test")
    of_data = run.predict(data, split="test")
    assert of_data["name"].tolist() == data.names(rows)
    np.testing.assert_allclose(of_data["logit"], run.predict(data.sequences(rows))["logit"])


def test_a_window_of_unknown_bases_has_no_score(run, windows):
    found = run.predict(["N" * run.length, windows[0]])
    assert np.isnan(found["logit"][0])
    assert found["bound"][0] is pd.NA
    assert np.isfinite(found["logit"][1])


def test_regions_of_a_genome_are_its_windows(run, tmp_path):
    genome = random_genome(3, {"chr1": 2000})
    path = write_genome(tmp_path, "g.fa", genome)
    frame = pd.DataFrame({"chrom": ["chr1", "chr1"], "start": [100, 700], "end": [200, 701]})
    starts = [150 - run.length // 2, 700 - run.length // 2]
    cut = [genome["chr1"][s : s + run.length] for s in starts]
    np.testing.assert_array_equal(
        run.predict(frame, genome=path)["logit"], run.predict(cut)["logit"]
    )
    with pytest.raises(InputError, match="regions need the genome that they lie on"):
        run.predict(frame)
    with pytest.raises(InputError, match=r"has no chromosome 'chr9'; it has chr1"):
        run.predict(frame.assign(chrom="chr9"), genome=path)


def test_metrics_are_those_that_evaluate_writes(run_copy):
    path, data = run_copy
    found = wb.load(path, device="cpu").evaluate(data)
    assert metrics_of(path)["auroc"] == found["auroc"]
    frame = found.to_frame().set_index("metric")
    assert frame.loc["auroc", "value"] == found["auroc"]["value"]
    assert (frame["low"] <= frame["value"]).all()
    assert frame.index[-1] == f"shortcut: {found['best_shortcut']['name']}"
    assert set(frame["windows"]) == {found["n_windows"]}
    assert f"{found['auroc']['value']:.4f}" in repr(found)
    assert f"{found['auroc']['value']:.4f}" in found._repr_html_()
    page = wb.load(path).report(path.parent / "page.html")
    assert not (path / "report.html").exists()
    assert page.read_bytes() == wb.load(path).report().read_bytes()


def test_explanations_are_an_array_that_draws_itself(run, windows):
    found = run.explain(windows, method="ism")
    assert found.shape == (6, run.length)
    # Closed form: the score of a base is its logit less the mean of all four.
    model, _ = load_model(run.path / "model.safetensors")
    codes = np.repeat(to_codes(windows[0])[None], 4, axis=0)
    codes[:, 20] = range(4)
    logits = predict_logits(model, codes, bf16=False)
    own = to_codes(windows[0])[20]
    expected = logits[own] - logits.mean()
    assert found[0, 20] == pytest.approx(expected, abs=1e-4)
    frame = found.to_frame()
    assert len(frame) == 6 * run.length
    np.testing.assert_array_equal(frame["score"].to_numpy().reshape(found.shape), found)
    assert "".join(frame["base"][: run.length]) == windows[0]
    assert frame["coordinate"].isna().all()
    _, axes = plt.subplots(2)
    assert found.plot(1, ax=axes[0]) is axes[0]
    heights = [patch.get_height() for patch in axes[0].patches]
    np.testing.assert_allclose(heights, found[1], atol=1e-7)
    assert found.logo(1, ax=axes[1], region=(5, 15)) is axes[1]
    assert found.plot(2) not in axes
    assert np.asarray(found).dtype == np.float32


def test_coordinates_are_those_of_the_dataset(run, trained):
    data = wb.open_dataset(trained[1])
    frame = run.explain(data, method="gradcam", split="test").to_frame()
    rows = data.indices("test")
    expected = (data.start[rows][:, None] + np.arange(data.length)).ravel()
    np.testing.assert_array_equal(frame["coordinate"], expected)


def test_a_scalogram_has_axes_and_draws_itself(run, windows):
    found = run.scalogram(windows[0])
    model, _ = load_model(run.path / "model.safetensors")
    assert found.shape[1] == len(found.periods)
    assert found.shape[0] == len(found.channels)
    assert found.shape[2] == len(found.positions)
    assert found.periods[0] == 2
    assert np.all(np.diff(found.periods) > 0)
    np.testing.assert_array_equal(np.asarray(found), found.values)
    import torch

    from wavebind.wavelets.scalograms import Scalogram

    batch = torch.from_numpy(to_codes(windows[0])[None])
    expected = Scalogram(model.config.scalogram, run.length)(batch)[0].numpy()
    np.testing.assert_allclose(found, expected.reshape(found.shape), atol=1e-5)
    _, ax = plt.subplots()
    assert found.plot(ax=ax) is ax


def test_sites_and_variants_are_tables(run, tmp_path, cli):
    genome = random_genome(3, {"chr1": 3000})
    letters = list(genome["chr1"])
    planted = planted_rows(20, seed=2)
    for i, row in enumerate([r for r in planted if r[3] == 1][:10]):
        letters[200 * i + 100 : 200 * i + 100 + len(row[5])] = row[5]
    path = write_genome(tmp_path, "g.fa", {"chr1": "".join(letters)})
    regions = pd.DataFrame({"chrom": ["chr1"], "start": [0], "end": [1500]})
    sites = run.scan(path, regions=regions, stride=4, workers=1)
    assert sites is not None
    assert {"chrom", "start", "end", "probability", "summit"} <= set(sites.columns)
    assert len(sites) >= 4
    assert sites["summit"].between(0, 1500).all()
    bed = tmp_path / "r.bed"
    bed.write_text("chr1\t0\t1500\n")
    options = ("--stride", 4, "--workers", 1, "--peaks", tmp_path / "s.narrowPeak")
    code, _, err = cli(
        "scan", run.path, path, "--regions", bed, *options, "--out", tmp_path / "s.bw"
    )
    assert code == 0, err
    told = pd.read_csv(tmp_path / "s.narrowPeak", sep="\t", header=None)
    assert told[1].tolist() == sites["start"].tolist()

    position = int(sites["summit"][0]) + 1
    ref = letters[position - 1]
    table = pd.DataFrame(
        {
            "chrom": ["chr1"],
            "position": [position],
            "ref": [ref],
            "alt": ["ACGT".replace(ref, "")[0]],
        }
    )
    effects = run.score_variants(table, genome=path, workers=1, null="none")
    assert effects["position"].tolist() == [position]
    assert effects["ref"].tolist() == [ref]
    with pytest.raises(InputError, match="the table of variants has no column 'position'"):
        run.score_variants(table.rename(columns={"position": "pos"}), genome=path)
    wrong = table.assign(chrom="chr1 x")
    with pytest.raises(InputError, match=r"^variants\.vcf"):
        run.score_variants(wrong.assign(ref="?"), genome=path, workers=1)


def test_settings_reach_training(trained, tmp_path):
    run = wb.train(
        trained[1], out=tmp_path / "r", epochs=1, settings={"training.batch_size": 50}, device="cpu"
    )
    assert run.card.training["batch_size"] == 50
    assert run.card.training["epochs"] == 1
    assert repr(run).startswith(f"run {tmp_path / 'r'}: scalenet on windows of 48 bp, epoch 1;")
    with pytest.raises(InputError, match=r"did you mean 'training\.batch_size'"):
        wb.train(trained[1], out=tmp_path / "s", settings=["batchsize=2"])
    assert not (tmp_path / "s").exists()


def test_what_is_no_run(tmp_path):
    with pytest.raises(InputError, match="no such run; make one with 'wavebind train'"):
        wb.load(tmp_path / "nothing")


def test_what_is_exported():
    names = "benchmark compare demo load make_dataset open_dataset scalogram train TFBSClassifier"
    assert set(names.split()) <= set(dir(wb))
    assert wb.__version__
    assert all(hasattr(wb, name) for name in dir(wb))
