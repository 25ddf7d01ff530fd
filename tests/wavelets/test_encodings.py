import numpy as np
import pytest
import torch

from helpers import ROOT
from wavebind.core.errors import InputError
from wavebind.core.settings import from_dict, to_dict
from wavebind.wavelets.encodings import (
    ENCODINGS,
    Encoding,
    complement_matrix,
    encode,
    encoding_table,
    get_encoding,
    reverse_complement_signal,
)
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig

CODES = torch.tensor([[0, 1, 2, 3, 4, 2], [4, 3, 3, 0, 1, 0]], dtype=torch.uint8)
LINEAR = {"onehot", "real", "complex", "purine", "paired", "zcurve", "tetrahedron"}


@pytest.mark.parametrize("name", ENCODINGS)
def test_signals_equal_the_naive_loop_and_unknown_is_zero(name):
    encoding = get_encoding(name)
    signals = encode(CODES, encoding_table(encoding), cumulated=encoding.cumulated)
    assert signals.shape == (2, encoding.channels, 6)
    for i in range(2):
        for c in range(encoding.channels):
            total = 0.0
            for t in range(6):
                code = int(CODES[i, t])
                value = 0.0 if code == 4 else encoding.values[c][code]
                total += value
                expected = (0.0 if code == 4 else total) if encoding.cumulated else value
                assert signals[i, c, t].item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_other_strand_as_an_operation_on_signals(name):
    encoding = get_encoding(name)
    if name not in LINEAR:
        with pytest.raises(InputError, match="has no reverse complement as an operation on sig"):
            complement_matrix(encoding)
        return
    table = encoding_table(encoding)
    other = torch.where(CODES < 4, 3 - CODES, CODES).flip(-1)
    found = reverse_complement_signal(encode(CODES, table), encoding)
    torch.testing.assert_close(found, encode(other, table))


@pytest.mark.parametrize("name", ["onehot", "zcurve", "tetrahedron"])
def test_equal_distances(name):
    values = np.array(ENCODINGS[name].values).T
    distances = {
        round(float(np.linalg.norm(values[i] - values[j])), 9) for i in range(4) for j in range(i)
    }
    assert len(distances) == 1


def test_published_values():
    assert ENCODINGS["integer"].values == ((1, 2, 3, 4),)
    # Nair & Sreenadhan 2006, table 1
    assert ENCODINGS["eiip"].values == ((0.1260, 0.1340, 0.0806, 0.1335),)
    # The corners of a regular tetrahedron lie on the unit sphere and add up to nothing.
    corners = np.array(ENCODINGS["tetrahedron"].values)
    np.testing.assert_allclose(np.linalg.norm(corners, axis=0), 1)
    np.testing.assert_allclose(corners.sum(axis=1), 0, atol=1e-12)
    # Zhang & Zhang 1994: A, C, G, T by purine, amino and weak
    assert list(zip(*ENCODINGS["zcurve"].values, strict=True)) == [
        (1, 1, 1),
        (-1, 1, -1),
        (1, -1, -1),
        (-1, -1, 1),
    ]


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_has_a_scalogram(name):
    config = ScalogramConfig(name, n_scales=5)
    out = Scalogram(config, 32)(torch.randint(0, 5, (3, 32), dtype=torch.uint8))
    assert out.shape == (3, config.channels, 5, 32)
    assert torch.isfinite(out).all()


def test_values_of_ones_own():
    config = from_dict(ScalogramConfig, {"encoding": [0.5, -1, 2, 3], "n_scales": 4}, "x")
    assert config.channels == 2
    assert get_encoding(config.encoding).values == ((0.5, -1, 2, 3),)
    rows = [[1, 0, 0, 1], [0, 1, 1, 0]]
    two = from_dict(ScalogramConfig, {"encoding": rows, "n_scales": 4}, "x")
    assert two.channels == 4
    assert from_dict(ScalogramConfig, to_dict(two), "x") == two
    signals = encode(CODES, encoding_table(get_encoding(two.encoding)))
    assert signals[0, 0].tolist() == [1, 0, 0, 1, 0, 0]
    for wrong in ([1, 2, 3], [[1, 2, 3, 4], [1, 2]], [1, 2, 3, float("inf")], []):
        with pytest.raises(InputError, match=r"four finite numbers|has no channel"):
            from_dict(ScalogramConfig, {"encoding": wrong}, "x")


def test_encodings_that_are_not():
    with pytest.raises(InputError, match="'morse' is not known; choose one of: onehot"):
        get_encoding("morse")
    with pytest.raises(InputError, match="has no channel"):
        Encoding("x", (), "", "", "")
    with pytest.raises(InputError, match="takes four finite numbers"):
        Encoding("x", ((1, 2, float("nan"), 4),), "", "", "")


def test_the_documented_table_is_the_code():
    text = (ROOT / "docs" / "encodings.md").read_text()
    for e in ENCODINGS.values():
        values = "; ".join(" ".join(f"{v:.4g}" for v in row) for row in e.values)
        values += " (summed)" if e.cumulated else ""
        line = f"| `{e.name}` | {e.channels} | {values} | {e.keeps} | {e.loses} | {e.source} |"
        assert line in text.splitlines(), e.name


def test_the_list_of_settings_names_every_encoding(cli):
    _, out, _ = cli("scalogram", "--settings")
    words = set(out.replace("│", " ").replace(",", " ").replace(".", " ").split())
    assert set(ENCODINGS) <= words
