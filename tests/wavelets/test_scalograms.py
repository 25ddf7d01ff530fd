from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavebind.core.errors import InputError
from wavebind.wavelets import scalograms
from wavebind.wavelets.filters import Wavelet, filter_bank, log_periods
from wavebind.wavelets.operators import padded_length, wavelet_operator
from wavebind.wavelets.planes import cone_of_influence, wavelet_picture
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig, ScalogramPyramid

LENGTH = 60
CONFIG = ScalogramConfig(wavelet=Wavelet(beta=6.0), n_scales=10, norm="l1")
TRANSFORM = Scalogram(CONFIG, LENGTH)


@pytest.fixture(scope="module")
def transform():
    return TRANSFORM


def random_codes(n, length=LENGTH, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 5, (n, length), dtype=np.uint8))


def test_the_operator_is_a_padded_fourier_convolution():
    """Against the textbook route: pad with zeros on both sides, multiply spectra, cut."""
    wavelet, periods = Wavelet(beta=20), log_periods(2, 50, 12)
    signal = np.random.default_rng(0).normal(size=50)
    operator = wavelet_operator(wavelet, periods, 50, "l1")
    padded = np.zeros(1024)
    padded[400:450] = signal
    bank = filter_bank(wavelet, periods, 1024)
    expected = np.fft.ifft(np.fft.fft(padded) * bank, axis=1)[:, 400:450]
    np.testing.assert_allclose(np.einsum("u,ust->st", signal, operator), expected, atol=5e-3)
    # Coarser than 3 bp the filter does not reach the Nyquist frequency, and nothing depends on
    # the length of the padding.
    coarse = periods > 3.2
    np.testing.assert_allclose(
        np.einsum("u,ust->st", signal, operator)[coarse], expected[coarse], atol=1e-5
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("length", [200, 501])
@pytest.mark.parametrize("beta", [20.0, 60.0])
def test_the_module_agrees_with_ssqueezepy(length, beta):
    """1e-4 relative at every scale, with the same padding; float32 against float64."""
    ssqueezepy = pytest.importorskip("ssqueezepy")
    config = ScalogramConfig("integer", Wavelet(beta=beta), 24, 2.0, length / 2, "l1")
    codes = random_codes(1, length)
    module = Scalogram(config, length)
    ours = module(codes)[0].numpy().astype(np.float64)
    ours = ours[0] + 1j * ours[1]
    lengths = np.array([padded_length(config.wavelet, p, length, "zero") for p in module.periods])
    scales = (beta / 3) ** (1 / 3) * module.periods / (2 * np.pi)
    errors = []
    for n in np.unique(lengths):
        padded = np.zeros(n)
        padded[:length] = np.array([1, 2, 3, 4, 0])[codes[0].numpy()]
        morse = ("gmw", {"gamma": 3, "beta": beta})
        members = lengths == n
        theirs, _ = ssqueezepy.cwt(padded, morse, scales=scales, padtype=None, l1_norm=True)
        difference = np.abs(theirs[members, :length] - ours[members]).max(axis=1)
        errors += list(difference / np.abs(ours[members]).max(axis=1))
    assert len(errors) == 24
    assert max(errors) < 1e-4


def test_a_unit_impulse_gives_the_wavelet(transform):
    signal = torch.zeros(1, 1, LENGTH)
    signal[0, 0, 30] = 1.0
    found = transform.transform(signal)[0, 0].numpy()
    bank = filter_bank(CONFIG.wavelet, transform.periods, 4096)
    impulse = np.roll(np.fft.ifft(bank, axis=1), 30, axis=1)[:, :LENGTH]
    coarse = transform.periods > 4.5
    np.testing.assert_allclose((found[0] + 1j * found[1])[coarse], impulse[coarse], atol=1e-5)


def test_shape_and_order_of_channels(transform):
    codes = random_codes(3)
    out = transform(codes)
    assert out.shape == (3, 8, 10, LENGTH)
    assert transform.shape == (8, 10, LENGTH)
    assert transform.periods[0] == 2.0
    only_c = torch.where(codes == 1, 1, 4).to(torch.uint8)
    lone = transform(only_c)
    torch.testing.assert_close(out[:, 2:4], lone[:, 2:4])
    assert lone[:, :2].abs().max() == 0


def test_every_output_follows_from_the_coefficients():
    codes = random_codes(2)
    parts = Scalogram(CONFIG, LENGTH)(codes)
    real, imag = parts[:, 0::2], parts[:, 1::2]
    expected = {
        "real": real,
        "imag": imag,
        "modulus": torch.hypot(real, imag),
        "power": real**2 + imag**2,
        "phase": torch.atan2(imag, real),
    }
    names = ("phase", "modulus", "power", "imag", "real")
    config = ScalogramConfig(wavelet=CONFIG.wavelet, n_scales=10, norm="l1", outputs=names)
    out = Scalogram(config, LENGTH)(codes)
    for i, name in enumerate(names):
        torch.testing.assert_close(out[:, i :: len(names)], expected[name], atol=1e-6, rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(-3, 3), st.floats(-3, 3))
def test_the_transform_is_linear(seed, a, b):
    transform = TRANSFORM
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(2, 1, 1, LENGTH, generator=generator)
    both = transform.transform(a * x + b * y)
    torch.testing.assert_close(
        both, a * transform.transform(x) + b * transform.transform(y), atol=1e-4, rtol=1e-4
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**31))
def test_a_batch_is_a_loop(n, seed):
    transform = TRANSFORM
    codes = random_codes(n, seed=seed % 1000)
    loop = torch.cat([transform(row[None]) for row in codes])
    torch.testing.assert_close(transform(codes), loop, atol=1e-5, rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.integers(0, 2**31))
def test_a_shift_of_the_input_shifts_the_scalogram(shift, seed):
    transform = TRANSFORM
    signal = torch.zeros(1, 1, LENGTH)
    signal[..., 5:35] = torch.randn(30, generator=torch.Generator().manual_seed(seed))
    before, after = transform.transform(signal), transform.transform(signal.roll(shift, -1))
    torch.testing.assert_close(after[..., shift:], before[..., :-shift], atol=1e-5, rtol=1e-4)


def test_the_other_strand_is_the_mirror_image(transform):
    """Reading a real signal backwards conjugates its coefficients and turns them around."""
    signal = torch.randn(1, 1, LENGTH, generator=torch.Generator().manual_seed(0))
    forward = transform.transform(signal)
    backward = transform.transform(signal.flip(-1)).flip(-1)
    torch.testing.assert_close(backward[:, :, 0], forward[:, :, 0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(backward[:, :, 1], -forward[:, :, 1], atol=1e-5, rtol=1e-4)


def test_stride_keeps_every_second_position(transform):
    config = ScalogramConfig(wavelet=CONFIG.wavelet, n_scales=10, norm="l1", stride=2)
    codes = random_codes(2)
    torch.testing.assert_close(Scalogram(config, LENGTH)(codes), transform(codes)[..., ::2])


def test_gradients_flow_through_every_output():
    config = ScalogramConfig(
        "onehot", Wavelet(beta=6.0), 4, outputs=("real", "imag", "modulus", "power", "phase")
    )
    transform = Scalogram(config, 16).double()

    def outputs(signals):
        parts = transform.transform(signals)
        real, imag = parts[:, :, 0], parts[:, :, 1]
        return torch.stack([scalograms.part(n, real, imag) for n in config.outputs])

    signals = torch.randn(1, 4, 16, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(outputs, (signals,))


def test_a_window_of_unknown_bases_is_zero_and_has_finite_gradients():
    config = ScalogramConfig(n_scales=8, outputs=("modulus",))
    transform = Scalogram(config, 32)
    assert transform(torch.full((1, 32), 4, dtype=torch.uint8)).max() < 1e-15
    signals = torch.zeros(1, 4, 32, requires_grad=True)
    parts = transform.transform(signals)
    scalograms.part("modulus", parts[:, :, 0], parts[:, :, 1]).sum().backward()
    assert torch.isfinite(signals.grad).all()


def test_the_cone_of_influence_of_a_morlet_wavelet():
    # Torrence & Compo 1998, table 1: the e-folding time is sqrt(2) s and the period 1.03 s.
    cone = cone_of_influence(Wavelet("morlet", mu=6.0), 101)
    assert cone[50] == pytest.approx(50.5 * 1.03 / 2**0.5, rel=0.03)
    assert cone[0] == pytest.approx(cone[100])
    assert cone.argmax() == 50


def test_the_picture_adds_the_power_of_the_channels():
    codes = random_codes(1)[0].numpy()
    parts = Scalogram(CONFIG, LENGTH)(torch.from_numpy(codes)[None])[0].double().numpy()
    expected = np.sqrt((parts**2).sum(axis=0))
    config = ScalogramConfig(wavelet=CONFIG.wavelet, n_scales=10, norm="l1", stride=2)
    np.testing.assert_allclose(wavelet_picture(config, codes), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": ()}, "needs at least one output"),
        ({"outputs": ("colour",)}, "output 'colour' is not known"),
        ({"stride": 0}, "stride must be 1 or more"),
        ({"n_scales": 0}, "number of scales must be 1 or more"),
        ({"min_period": 1.0}, "shortest period must be 2 bp or more"),
        ({"max_period": 2.0}, "must exceed the shortest"),
        ({"norm": "l0"}, "norm 'l0' is not known"),
        ({"encoding": "x"}, "encoding 'x' is not known"),
        ({"voices": 0}, "voices an octave must be 1 or more"),
        ({"padding": "wrap"}, "padding 'wrap' is not known"),
        ({"method": "magic"}, "method 'magic' is not known"),
        ({"spacing": "mel"}, "spacing 'mel' is not known; choose one of: octaves, frequencies"),
        ({"spacing": "frequencies", "voices": 4}, "evenly spaced frequencies want a number of"),
    ],
)
def test_configurations_that_are_not(options, message):
    with pytest.raises(InputError, match=message):
        ScalogramConfig(**options)


def test_windows_that_do_not_fit(transform):
    with pytest.raises(InputError, match="is for windows of 60 bp; found 61 bp"):
        transform(random_codes(1, 61))
    with pytest.raises(InputError, match="needs a window of 2 bp or more; found 1"):
        Scalogram(CONFIG, 1)
    with pytest.raises(InputError, match=r"10,000,000 bp with 10 scales needs .* cut the sequence"):
        Scalogram(replace(CONFIG, max_period=1000.0), 10_000_000)
    dense = replace(CONFIG, method="matrix")
    with pytest.raises(InputError, match="choose the method fourier"):
        Scalogram(dense, 100_000)


def test_voices_are_periods_an_octave():
    config = ScalogramConfig(voices=4)
    periods = config.periods(64)
    assert len(periods) == 4 * 5 + 1
    np.testing.assert_allclose(periods[1:] / periods[:-1], 2**0.25)
    assert periods[-1] == pytest.approx(64)
    assert Scalogram(config, 64).shape == (8, 21, 64)


def test_even_frequencies_are_white():
    """Filters of one energy: white noise keeps its spectrum, and with octaves its low end grows."""
    even = ScalogramConfig(wavelet=Wavelet(beta=4.0), max_period=64.0, spacing="frequencies")
    periods = even.periods(200)
    assert periods[0] == 2.0
    assert periods[-1] == 64.0
    np.testing.assert_allclose(np.diff(1 / periods), (1 / 64 - 1 / 2) / 31)
    n = 4096
    frequency = np.arange(n) / n
    inside = (frequency > 1 / 16) & (frequency < 0.4)
    low = (frequency > 1 / 32) & (frequency < 1 / 16)

    def power(periods):
        bank = filter_bank(even.wavelet, periods, n, "l2")
        return (np.abs(bank) ** 2).sum(axis=0)

    white, pink = power(periods), power(replace(even, spacing="octaves").periods(200))
    assert white[inside].max() / white[inside].min() < 1.3
    assert white[low].mean() / white[inside].mean() == pytest.approx(1, abs=0.15)
    assert pink[low].mean() / pink[inside].mean() > 3
    # Power at octaves falls as one over the frequency.
    product = (pink * frequency)[inside]
    assert product.max() / product.min() < 1.3


@pytest.mark.parametrize("method", ["matrix", "fourier", "convolution"])
def test_even_frequencies_by_every_method(method):
    config = ScalogramConfig(
        wavelet=Wavelet(beta=4.0), n_scales=12, max_period=32.0, spacing="frequencies", stride=2
    )
    codes = random_codes(2, 90)
    found = Scalogram(replace(config, method=method), 90)(codes)
    signals = Scalogram(config, 90).signals(codes).double().numpy()
    n = 512
    bank = filter_bank(config.wavelet, config.periods(90), n, "l2")
    spectrum = np.fft.fft(signals, n)[:, :, None]
    naive = np.fft.ifft(spectrum * bank)[..., :90:2]
    expected = np.stack([naive.real, naive.imag], 2).reshape(2, 8, 12, 45)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-3)


def test_a_pyramid_of_even_frequencies():
    config = ScalogramConfig(n_scales=17, max_period=40.0, spacing="frequencies")
    pyramid = ScalogramPyramid(config, 300)
    periods = np.concatenate([level.periods for level in pyramid.levels])
    np.testing.assert_allclose(periods, config.periods(300))


def test_a_pyramid_holds_what_the_whole_scalogram_holds():
    config = ScalogramConfig(wavelet=Wavelet(beta=6.0), voices=3, max_period=64.0)
    codes = random_codes(2, 300)
    whole = Scalogram(config, 300)
    pyramid = ScalogramPyramid(config, 300)
    outputs = pyramid(codes)
    periods = np.concatenate([level.periods for level in pyramid.levels])
    np.testing.assert_allclose(periods, whole.periods)
    assert [level.config.stride for level in pyramid.levels] == [1, 2, 4, 8, 16, 32]
    full, first = whole(codes), 0
    for level, out in zip(pyramid.levels, outputs, strict=True):
        n = len(level.periods)
        expected = full[:, :, first : first + n, :: level.config.stride]
        torch.testing.assert_close(out, expected, atol=1e-4, rtol=1e-3)
        first += n
    assert sum(out.numel() for out in outputs) < full.numel() / 2.5


def test_a_window_shorter_than_the_longest_period():
    """Every scale has its row; those beyond the window are what zeros around it make of them."""
    config = ScalogramConfig(wavelet=Wavelet(beta=6.0), n_scales=8, max_period=64.0)
    out = Scalogram(config, 20)(random_codes(2, 20))
    assert out.shape == (2, 8, 8, 20)
    assert torch.isfinite(out).all()
    assert (cone_of_influence(config.wavelet, 20) < 64).all()


@pytest.mark.parametrize("method", ["matrix", "fourier", "convolution"])
def test_a_window_of_unknown_bases_gives_nothing(method):
    config = ScalogramConfig(n_scales=6, outputs=("power",), method=method)
    assert Scalogram(config, 100)(torch.full((1, 100), 4, dtype=torch.uint8)).abs().max() == 0


def test_a_megabase_in_one_window():
    config = ScalogramConfig("integer", Wavelet(beta=4.0), 6, max_period=64.0, stride=8)
    out = Scalogram(config, 1_000_000)(random_codes(1, 1_000_000))
    assert out.shape == (1, 2, 6, 125_000)
    # The middle of it is what a short window around the middle gives.
    codes = random_codes(1, 1_000_000)
    short = Scalogram(config, 8000)(codes[:, 496_000:504_000])
    torch.testing.assert_close(
        out[:, :, 1:, 62_250:62_750], short[:, :, 1:, 250:750], atol=2e-3, rtol=1e-3
    )


def test_a_pyramid_may_reach_beyond_the_window():
    """An octave with a single period, longer than the window, is a level like any other."""
    config = ScalogramConfig(wavelet=Wavelet(beta=6.0), voices=1, max_period=64.0)
    outputs = ScalogramPyramid(config, 40)(random_codes(2, 40))
    assert [tuple(out.shape[2:]) for out in outputs] == [
        (1, 40),
        (1, 20),
        (1, 10),
        (1, 5),
        (1, 3),
        (1, 2),
    ]
