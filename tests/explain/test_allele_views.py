"""Both alleles in their window: letters by hand, numbers by the parts."""

import numpy as np
import pytest

from genome_files import write_genome
from helpers import MOTIF, random_dna
from wavebind.explain.allele_views import view_alleles
from wavebind.genome.genomes import open_genome
from wavebind.genome.sequences import to_letters
from wavebind.models import load_model
from wavebind.models.prediction import predict_logits
from wavebind.report.allele_plots import allele_values, draw_allele, shown_alleles
from wavebind.report.plots import to_png

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def opened(trained, tmp_path_factory):
    model, card = load_model(trained[0] / "model.safetensors")
    letters = random_dna(np.random.default_rng(5), 900)
    letters = letters[:400] + MOTIF + letters[400 + len(MOTIF) :]
    path = write_genome(tmp_path_factory.mktemp("genome"), "g.fa", {"chr1": letters})
    with open_genome(path, cache=path.parent) as genome:
        yield model, card, genome, letters


def row(letters, at, n, alt):
    return {"chrom": "1", "position": str(at + 1), "ref": letters[at : at + n], "alt": alt}


@pytest.mark.parametrize(
    ("n", "alt"), [(1, "*"), (1, "ACCA"), (4, "T")], ids=["substitution", "insertion", "deletion"]
)
def test_windows_are_those_of_the_edited_genome(opened, n, alt):
    model, card, genome, letters = opened
    at = 400 + len(MOTIF) // 2
    alt = {"A": "C"}.get(letters[at], "A") if alt == "*" else alt
    (view,) = view_alleles(model, card, genome, [row(letters, at, n, alt)])
    edited = letters[:at] + alt + letters[at + n :]
    length, start = card.model.length, view.start
    assert start == at - view.offset
    assert to_letters(view.codes[0]) == letters[start : start + length]
    assert to_letters(view.codes[1]) == edited[start : start + length]
    assert view.same_length == (n == len(alt))
    assert view.name == f"chr1:{at + 1} {letters[at : at + n]}>{alt}"
    logits = predict_logits(model, view.codes, np.arange(2))
    assert np.allclose(view.probability, card.probabilities(logits))
    # Contributions sum to about the logit, less that of the reference input.
    assert view.contributions.shape == (2, length)
    assert np.isfinite(view.contributions).all()


def test_what_cannot_be_shown_is_left_out(opened):
    model, card, genome, letters = opened
    rows = [
        {**row(letters, 300, 1, "A"), "chrom": "7"},
        row(letters, 300, 1, "<DEL>"),
        row(letters, 300, 1, "A" * card.model.length),
        row(letters, 2, 1, "A"),
    ]
    done = []
    (view,) = view_alleles(model, card, genome, rows, done.append)
    # Beyond the end of the chromosome nothing is known.
    assert view.start < 0
    assert to_letters(view.codes[0]).startswith("N" * -view.start + letters[:3])
    assert done == [1]


def test_pictures_share_a_scale_and_a_difference_needs_one_length(opened):
    model, card, genome, letters = opened
    at = 400 + len(MOTIF) // 2
    other = "C" if letters[at] != "C" else "A"
    first, second = view_alleles(
        model, card, genome, [row(letters, at, 1, other), row(letters, at, 3, "T")]
    )
    assert shown_alleles(first) == ("reference", "alternative", "difference")
    assert shown_alleles(second) == ("reference", "alternative")
    config = card.model.scalogram
    figures = [draw_allele(first, shown, config) for shown in shown_alleles(first)]
    assert figures[0].axes[1].get_ylim() == figures[1].axes[1].get_ylim()
    assert (
        figures[0].axes[0].collections[0].get_clim() == figures[1].axes[0].collections[0].get_clim()
    )
    low, high = figures[2].axes[0].collections[0].get_clim()
    assert low == -high
    assert to_png(figures[2]).startswith(b"\x89PNG")
    values = allele_values(first, "difference", config)
    change = first.contributions[1] - first.contributions[0]
    assert np.allclose(values["rows"][0]["values"], change, rtol=1e-3, atol=1e-6)
    assert "plane" not in values
    assert "plane" in allele_values(first, "alternative", config)
