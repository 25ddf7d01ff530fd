import pytest
import torch

from wavebind.encodings import ENCODINGS, Encoding, encode, encoding_table, get_encoding
from wavebind.errors import InputError


@pytest.mark.parametrize("name", ENCODINGS)
def test_signals_equal_the_naive_loop_and_unknown_is_zero(name):
    encoding = get_encoding(name)
    codes = torch.tensor([[0, 1, 2, 3, 4], [4, 3, 3, 0, 1]], dtype=torch.uint8)
    signals = encode(codes, encoding_table(encoding))
    assert signals.shape == (2, encoding.channels, 5)
    for i in range(2):
        for c in range(encoding.channels):
            for t in range(5):
                code = int(codes[i, t])
                expected = 0.0 if code == 4 else encoding.values[c][code]
                assert signals[i, c, t].item() == pytest.approx(expected)


def test_published_values():
    assert ENCODINGS["integer"].values == ((1, 2, 3, 4),)
    # Nair & Sreenadhan 2006, table 1
    assert ENCODINGS["eiip"].values == ((0.1260, 0.1340, 0.0806, 0.1335),)


def test_encodings_that_are_not():
    with pytest.raises(InputError, match="'morse' is not known; choose one of: onehot"):
        get_encoding("morse")
    with pytest.raises(InputError, match="has no channel"):
        Encoding("x", (), "", "", "")
    with pytest.raises(InputError, match="takes four finite numbers"):
        Encoding("x", ((1, 2, float("nan"), 4),), "", "", "")
