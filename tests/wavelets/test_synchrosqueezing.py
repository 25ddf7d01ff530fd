import numpy as np
import pytest
import torch

from wavebind.core.errors import InputError
from wavebind.wavelets.filters import Wavelet, peak_frequency
from wavebind.wavelets.scalograms import Scalogram, ScalogramConfig
from wavebind.wavelets.synchrosqueezing import Synchrosqueezed, instantaneous_frequency, squeeze


def config(length, **options):
    chosen = {"encoding": "integer", "norm": "l1", "padding": "periodic", "voices": 8}
    return ScalogramConfig(**{**chosen, "max_period": length / 2, **options})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("length", [128, 201])
@pytest.mark.parametrize("beta", [20.0, 60.0])
def test_agrees_with_ssqueezepy(length, beta):
    ssqueezepy = pytest.importorskip("ssqueezepy")
    settings = config(length, wavelet=Wavelet(beta=beta))
    module = Synchrosqueezed(settings, length).double()
    signals = np.random.default_rng(1).normal(size=(3, length))
    ours = module.transform(torch.from_numpy(signals)[:, None])[:, 0].numpy()
    scales = peak_frequency(settings.wavelet) * module.periods / (2 * np.pi)
    for signal, mine in zip(signals, ours, strict=True):
        theirs = ssqueezepy.ssq_cwt(
            signal,
            ("gmw", {"gamma": 3, "beta": beta}),
            scales=scales,
            ssq_freqs=np.ascontiguousarray(1 / module.periods[::-1]),
            padtype=None,
            nv=8,
            gamma=10 * 1.1920929e-07,
        )[0]
        # Theirs has the highest frequency first, as ours. A coefficient half-way between two
        # bins may fall on either side; all others must agree.
        off = np.abs(theirs - mine) > 1e-4 * np.abs(theirs).max()
        assert off.mean() < 0.01
        np.testing.assert_allclose(theirs.sum(axis=0), mine.sum(axis=0), atol=1e-4)


def test_a_sinusoid_is_squeezed_into_its_period():
    length, cycles = 240, 20
    settings = config(length, wavelet=Wavelet(beta=20.0))
    module = Synchrosqueezed(settings, length)
    signal = torch.cos(2 * torch.pi * cycles * torch.arange(length) / length)[None, None]
    out = module.transform(signal)[0, 0].abs()
    best = int(np.abs(np.log(module.periods * cycles / length)).argmin())
    assert (out.argmax(dim=0) == best).all()
    assert (out[best] / out.sum(dim=0)).min() > 0.999
    spread = Scalogram(settings, length).transform(signal)[0, 0]
    modulus = torch.hypot(spread[0], spread[1])
    assert (modulus[best] / modulus.sum(dim=0)).max() < 0.3


def test_the_frequency_of_a_sinusoid():
    length, cycles = 240, 20
    module = Synchrosqueezed(config(length, wavelet=Wavelet(beta=20.0)), length).double()
    signal = torch.cos(2 * torch.pi * cycles * torch.arange(length).double() / length)[None, None]
    w, d = module.scalogram.coefficients(signal), module.derivatives(signal)
    w, d = torch.complex(w[:, :, 0], w[:, :, 1]), torch.complex(d[:, :, 0], d[:, :, 1])
    frequency = instantaneous_frequency(w, d)
    strong = w.abs() > 0.01
    torch.testing.assert_close(
        frequency[strong], torch.full_like(frequency[strong], cycles / length), rtol=1e-4, atol=0.0
    )
    assert torch.isinf(instantaneous_frequency(torch.zeros_like(w), d)).all()


def test_nothing_is_lost_and_nothing_is_added():
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(2, 1, 6, 5, generator=generator, dtype=torch.complex64)
    frequency = torch.rand(2, 1, 6, 5, generator=generator)
    periods = np.geomspace(2, 64, 6)
    step = float(np.log(periods[1] / periods[0]))
    out = squeeze(w, frequency, periods)
    torch.testing.assert_close(out.sum(dim=-2), w.sum(dim=-2) * step)
    loop = torch.zeros_like(w)
    for b, s, t in np.ndindex(2, 6, 5):
        k = int(np.abs(np.log(periods * float(frequency[b, 0, s, t]))).argmin())
        loop[b, 0, k, t] += w[b, 0, s, t] * step
    torch.testing.assert_close(out, loop)


def test_a_batch_of_codes_and_a_window_of_unknown_bases():
    settings = config(64, encoding="onehot", padding="zero")
    module = Synchrosqueezed(settings, 64)
    codes = torch.randint(0, 4, (3, 64), dtype=torch.uint8)
    out = module(codes)
    assert out.shape == (3, 4, 33, 64)
    torch.testing.assert_close(out, torch.cat([module(c[None]) for c in codes]))
    assert module(torch.full((1, 64), 4, dtype=torch.uint8)).abs().max() == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wavelet": Wavelet("dog")}, "needs an analytic wavelet .morse or morlet.; found dog"),
        ({"norm": "l2"}, "needs the norm l1 and two or more scales; found l2 and 33"),
        ({"n_scales": 1, "voices": None}, "two or more scales; found l1 and 1"),
        (
            {"n_scales": 8, "voices": None, "spacing": "frequencies"},
            "found evenly spaced frequencies, use the spacing octaves",
        ),
    ],
)
def test_configurations_that_are_not(options, message):
    with pytest.raises(InputError, match=message):
        Synchrosqueezed(config(64, **options), 64)
