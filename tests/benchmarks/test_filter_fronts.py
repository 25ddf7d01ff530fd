"""The filters that benchmarks/fronts.py compares the wavelets with."""

import math

import numpy as np
import pytest
import torch

from filter_fronts import FILTER_FRONTS, Filters, LearnedWavelets
from wavebind.core.errors import InputError
from wavebind.models import Classifier, ModelConfig
from wavebind.wavelets.filters import Wavelet, frequency_response
from wavebind.wavelets.fronts import FRONTS, make_front
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig

LENGTH = 60
CONFIG = ScalogramConfig(wavelet=Wavelet(beta=4.0), n_scales=7, max_period=32.0, stride=2)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for name, make in FILTER_FRONTS.items():
        monkeypatch.setitem(FRONTS, name, make)


def codes(n=5, length=LENGTH):
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 5, (n, length), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("outputs", [("real", "imag"), ("modulus",)])
def test_learned_wavelets_begin_as_the_fixed_ones(stride, norm, outputs):
    config = ScalogramConfig(
        wavelet=Wavelet(gamma=2.5, beta=6.0),
        n_scales=6,
        max_period=24.0,
        stride=stride,
        norm=norm,
        outputs=outputs,
    )
    fixed, learned = Scalogram(config, LENGTH), LearnedWavelets(config, LENGTH)
    expected, found = fixed(codes()), learned(codes())
    assert found.shape == (5, *learned.shape) == (5, *fixed.shape)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def test_learned_wavelets_follow_their_parameters():
    front = LearnedWavelets(CONFIG, LENGTH)
    with torch.no_grad():
        front.log_gamma.fill_(math.log(2.0))
        front.log_beta.fill_(math.log(9.0))
        front.log_period += math.log(1.25)
    moved = ScalogramConfig(
        wavelet=Wavelet(gamma=2.0, beta=9.0),
        n_scales=7,
        min_period=2.5,
        max_period=40.0,
        stride=2,
    )
    expected = Scalogram(moved, LENGTH)(codes())
    torch.testing.assert_close(front(codes()), expected, atol=2e-5, rtol=1e-3)


def test_learned_wavelets_have_the_gradients_of_finite_differences():
    front = LearnedWavelets(CONFIG, LENGTH).double()
    rows = codes(2)
    weights = torch.randn(
        2, *front.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )

    def value():
        signals = front.signals(rows).double()
        return ((signals.reshape(8, -1) @ front.operator()).view_as(weights) * weights).sum()

    value().backward()
    for parameter in (front.log_gamma, front.log_beta, front.log_period):
        at = 3 if parameter.ndim else ()
        with torch.no_grad():
            here = parameter[at].clone()
            parameter[at] = here + 1e-5
            above = value()
            parameter[at] = here - 1e-5
            below = value()
            parameter[at] = here
        assert parameter.grad[at].item() == pytest.approx(((above - below) / 2e-5).item(), rel=1e-4)


def test_a_filter_front_is_a_convolution():
    front = Filters(CONFIG, LENGTH, trained=False)
    found = front(codes())
    kernels = front.kernels()
    signals = front.signals(codes()).numpy().astype(float)
    for part in range(2):
        for scale in range(7):
            kernel = kernels[part, scale].numpy()
            expected = np.convolve(signals[1, 2], kernel)[LENGTH - 1 : 2 * LENGTH - 1 : 2]
            channel = 2 * 2 + part
            np.testing.assert_allclose(found[1, channel, scale].numpy(), expected, atol=1e-5)


def test_random_filters_are_as_long_and_as_strong_as_the_wavelets():
    torch.manual_seed(0)
    kernels = Filters(CONFIG, LENGTH, trained=False).kernels()
    torch.testing.assert_close(kernels.square().sum((0, 2)), torch.ones(7))
    assert CONFIG.wavelet.kind == "morse"
    lags = torch.arange(1 - LENGTH, LENGTH)
    spread = (kernels.square() * lags**2).sum((0, 2)).sqrt()
    # Energy spread in time of the wavelets themselves, from their closed form.
    size = 4096
    omega = 2 * np.pi * np.fft.fftfreq(size)
    for scale, period in enumerate(CONFIG.periods(LENGTH)):
        if period < 6:
            continue
        peak = (4.0 / 3.0) ** (1 / 3.0)
        wave = np.fft.ifft(frequency_response(CONFIG.wavelet, omega * period / (2 * np.pi) * peak))
        energy = np.abs(np.fft.fftshift(wave)) ** 2
        place = np.arange(size) - size // 2
        expected = math.sqrt((energy * place**2).sum() / energy.sum())
        assert spread[scale] == pytest.approx(expected, rel=0.5)


@pytest.mark.parametrize(
    ("front", "n"), [("random-filters", 0), ("learned-wavelets", 15), ("learned-filters", 1666)]
)
def test_what_is_trained(front, n):
    module = make_front(front, CONFIG, LENGTH)
    assert sum(p.numel() for p in module.parameters()) == n
    if n:
        module(codes()).square().sum().backward()
        assert all(p.grad.abs().sum() > 0 for p in module.parameters())


@pytest.mark.parametrize("front", ["learned-wavelets", "learned-filters", "random-filters"])
def test_every_front_carries_a_network(front):
    model = Classifier(ModelConfig(LENGTH, CONFIG, front=front)).eval()
    assert model(codes()).shape == (5,)
    assert model.front_is_trained == front.startswith("learned")


def test_what_cannot_be():
    with pytest.raises(InputError, match="learned wavelets are Morse wavelets; found 'morlet'"):
        LearnedWavelets(ScalogramConfig(wavelet=Wavelet("morlet")), LENGTH)
    with pytest.raises(InputError, match="padding 'reflect' is for the front 'wavelets'"):
        make_front("random-filters", ScalogramConfig(padding="reflect"), LENGTH)
