import base64
import copy
import hashlib
import json
import re
import shutil
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from helpers import metrics_of, only_result
from wavebind.core.errors import InputError
from wavebind.datasets.dataset import open_dataset
from wavebind.evaluate.assess import assess, read_scores
from wavebind.explain.run import explain_run
from wavebind.metrics.binary import evaluate
from wavebind.models import load_model
from wavebind.models.results import EVALUATIONS, find_results
from wavebind.report.choice import choose_evaluation
from wavebind.report.run_page import write_report


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.text, self.sources, self.tags = "", [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [v for k, v in attrs if k in ("src", "href", "data")]

    def handle_data(self, data):
        self.text += " " + data


@pytest.fixture(scope="module")
def explained(trained, tmp_path_factory):
    """A run that was evaluated and explained."""
    run = Path(shutil.copytree(trained[0], tmp_path_factory.mktemp("explained") / "run"))
    data = open_dataset(trained[1])
    metrics = assess(run, data, device="cpu")
    explain_run(run, data, n=6, n_mean=50, device="cpu")
    return run, data, metrics


@pytest.fixture
def scored(explained, tmp_path):
    """A copy of it that a test may change."""
    run, data, metrics = explained
    return Path(shutil.copytree(run, tmp_path / "scored")), data, copy.deepcopy(metrics)


def test_metrics_are_those_of_the_scores(scored):
    run, data, metrics = scored
    labels, scores = read_scores(choose_evaluation(run, load_model(run / "model.safetensors")[1]))
    assert np.array_equal(labels, data.labels[data.indices("test")])
    again = evaluate(labels, scores, metrics["threshold"], np.random.default_rng(0))
    for name, estimate in again.items():
        assert metrics[name]["value"] == pytest.approx(estimate.value)
        assert metrics[name]["low"] <= metrics[name]["value"] <= metrics[name]["high"]
    assert metrics["n_windows"] == 300
    assert metrics["n_bound"] == 150
    assert metrics["split"] == "test"
    assert metrics["seed"] == 0
    assert metrics["auroc"]["value"] > 0.97
    assert metrics_of(run) == metrics


def test_the_page_holds_the_numbers_and_needs_nothing_else(scored):
    run, _, metrics = scored
    html = write_report(run, force=True).read_text()
    # The file that the windows come from, not the folder of the dataset.
    assert "<h1>scalenet, trained on windows.tsv</h1>" in html
    page = Page(html)
    for name in ("auroc", "auprc", "mcc"):
        assert f"{metrics[name]['value']:.4f}" in page.text
    pictures = [source for source in page.sources if not source.startswith("#")]
    assert len(pictures) == 4 + 2 + 6
    assert all(source.startswith("data:image/png;base64,") for source in pictures)
    links = {source[1:] for source in page.sources if source.startswith("#")}
    assert links <= set(re.findall(r'id="([a-z]+)"', html))
    assert f"AUROC) of {metrics['auroc']['value']:.3f}" in " ".join(page.text.split())
    # One script of the package's, and values in blocks that are none.
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", html, re.S)
    own = [text for attributes, text in scripts if not attributes]
    checksum = base64.b64encode(hashlib.sha256(own[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{checksum}'\"" in unescape(html)
    assert len(own) == 1
    assert {a for a, _ in scripts if a} == {' type="application/json"'}
    assert "300 windows of the test split, 150 of them bound" in " ".join(page.text.split())
    assert "://" not in re.sub(r"data:image/png;base64,[^\"]*", "", html)
    assert "is above what composition alone explains" in page.text
    floor = metrics["calibration_floor"]
    assert f"would have {floor['value']:.3f}" in " ".join(page.text.split())


def test_what_comes_from_files_is_escaped(scored):
    run, _, _ = scored
    stored = json.loads((run / "run.json").read_text())
    stored["note"] = "<script>alert(1)</script>"
    (run / "run.json").write_text(json.dumps(stored))
    assert "<script>alert" not in write_report(run, force=True).read_text()


@pytest.mark.slow
def test_the_page_warns(scored):
    run, data, _ = scored
    shutil.rmtree(only_result(run, EVALUATIONS))
    assess(run, data, "valid", device="cpu")
    stored = json.loads((run / "run.json").read_text())
    stored["training"]["shuffle_labels"] = True
    (run / "run.json").write_text(json.dumps(stored))
    text = Page(write_report(run, force=True).read_text()).text
    assert "they say nothing about new sequences" in text
    assert "trained on shuffled labels" in text


def test_a_model_no_better_than_a_shortcut_is_told_so(scored):
    run, _, metrics = scored
    metrics["best_shortcut"] = {"name": "gc", "value": 0.99, "low": 0.98, "high": 1.0}
    (only_result(run, EVALUATIONS) / "metrics.json").write_text(json.dumps(metrics))
    assert "is not clearly above" in Page(write_report(run, force=True).read_text()).text


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        pytest.param(0.01, "cannot be told from", marks=pytest.mark.slow),
        (0.4, "is off by more than chance"),
    ],
)
def test_the_calibration_error_is_held_to_its_floor(scored, error, verdict):
    run, _, metrics = scored
    metrics["calibration_error"] = {"value": error, "low": 0.0, "high": 0.5}
    metrics["calibration_floor"] = {"value": 0.01, "low": 0.005, "high": 0.02}
    (only_result(run, EVALUATIONS) / "metrics.json").write_text(json.dumps(metrics))
    assert verdict in Page(write_report(run, force=True).read_text()).text


@pytest.mark.slow
def test_metrics_of_before_there_was_a_floor_are_reported(scored):
    run, _, metrics = scored
    del metrics["calibration_floor"]
    (only_result(run, EVALUATIONS) / "metrics.json").write_text(json.dumps(metrics))
    text = " ".join(Page(write_report(run, force=True).read_text()).text.split())
    assert "Expected calibration error: " in text
    assert "as many windows" not in text


def test_reports_that_cannot_be(run_copy):
    run, path = run_copy
    with pytest.raises(InputError, match=r"has no metrics\.json"):
        write_report(run)
    assess(run, open_dataset(path), device="cpu")
    (result,) = find_results(run, EVALUATIONS)
    result.scores.write_bytes(b"x")
    with pytest.raises(InputError, match="is damaged"):
        read_scores(result)
    result.scores.unlink()
    with pytest.raises(InputError, match="score the split with 'wavebind evaluate"):
        write_report(run)
