import numpy as np
import pytest
import torch

from inverse import decode, reconstruct, reconstruct_from_modulus, recovered
from wavebind.core.errors import InputError
from wavebind.wavelets.encodings import ENCODINGS, encode, encoding_table, get_encoding
from wavebind.wavelets.filters import Wavelet
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig

LENGTH = 60
CODES = np.random.default_rng(0).integers(0, 4, (6, LENGTH), dtype=np.uint8)


def made(name, **options):
    config = ScalogramConfig(name, Wavelet(beta=6.0), 32, norm="l2", **options)
    signals = encode(torch.from_numpy(CODES), encoding_table(get_encoding(name)))
    parts = Scalogram(config, LENGTH).double().transform(signals.double())
    return config, signals.double(), parts


@pytest.mark.parametrize("name", ["onehot", "integer", "tetrahedron"])
@pytest.mark.parametrize("stride", [1, 2])
def test_complex_coefficients_hold_the_whole_signal(name, stride):
    config, signals, parts = made(name, stride=stride)
    found = reconstruct(config, parts, LENGTH)
    torch.testing.assert_close(found, signals, atol=1e-3, rtol=0.0)
    assert recovered(CODES, found, get_encoding(name)) == 1.0


def test_a_periodic_transform_loses_the_mean_and_nothing_else():
    config, signals, parts = made("integer", padding="periodic")
    found = reconstruct(config, parts, LENGTH)
    torch.testing.assert_close(found, signals - signals.mean(-1, keepdim=True), atol=1e-3, rtol=0.0)


def test_the_modulus_is_enough_for_one_hot_signals_and_the_sign_is_chosen():
    config, signals, parts = made("onehot")
    modulus = torch.hypot(parts[:, :, 0], parts[:, :, 1])
    found = reconstruct_from_modulus(config, modulus, LENGTH, torch.Generator().manual_seed(0))
    assert found.shape == signals.shape
    assert (found.sum(dim=-1) >= 0).all()
    again = Scalogram(config, LENGTH).double().transform(found)
    error = torch.hypot(again[:, :, 0], again[:, :, 1]) - modulus
    assert error.norm() / modulus.norm() < 0.1
    assert recovered(CODES, found, get_encoding("onehot")) > 0.6


@pytest.mark.parametrize("name", sorted(set(ENCODINGS) - {"walk", "zcurve-cumulated"}))
def test_decoding_is_the_inverse_of_encoding_where_the_values_differ(name):
    encoding = get_encoding(name)
    signals = encode(torch.from_numpy(CODES), encoding_table(encoding))
    values = np.array(encoding.values).T
    if len({tuple(v) for v in values}) == 4:
        assert torch.equal(decode(signals, encoding), torch.from_numpy(CODES))
    else:
        assert 0.3 < recovered(CODES, signals, encoding) < 0.7


def test_what_does_not_fit():
    config, _, parts = made("onehot")
    with pytest.raises(InputError, match="numbers a signal; this configuration makes"):
        reconstruct(config, parts[..., :-1], LENGTH)
    with pytest.raises(InputError, match="moduli a signal; this configuration makes"):
        reconstruct_from_modulus(config, parts[:, :, 0, :-1], LENGTH, torch.Generator())
    with pytest.raises(InputError, match="is a running sum; decode its increments"):
        decode(parts[:, :, 0, 0], get_encoding("walk"))
