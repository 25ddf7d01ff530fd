import pytest
import torch

from wavebind.core.errors import InputError
from wavebind.models import Classifier, ModelConfig
from wavebind.training.recipes import Recipe
from wavebind.wavelets.filters import Wavelet
from wavebind.wavelets.fronts import make_front
from wavebind.wavelets.images import ImageConfig
from wavebind.wavelets.scalograms import ScalogramConfig

LENGTH = 60
CONFIG = ScalogramConfig(wavelet=Wavelet(beta=4.0), n_scales=7, max_period=32.0, stride=2)


def codes(n=5, length=LENGTH):
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 5, (n, length), generator=generator, dtype=torch.uint8)


def test_the_signal_is_the_window():
    found = make_front("signal", CONFIG, LENGTH)(codes())
    assert found.shape == (5, 4, 1, LENGTH)
    for i, code in enumerate(codes()[0].tolist()):
        column = found[0, :, 0, i].tolist()
        assert column == [float(code == base) for base in range(4)]


@pytest.mark.parametrize("front", ["wavelets", "signal", "pyramid"])
def test_every_front_carries_a_network(front):
    backbone = "pyramidnet" if front == "pyramid" else "scalenet"
    model = Classifier(ModelConfig(LENGTH, CONFIG, backbone, front=front)).eval()
    assert model(codes()).shape == (5,)
    assert model.config.front == front
    assert not model.front_is_trained


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: make_front("signal", CONFIG, LENGTH)(codes(length=59)),
            "this network is for windows of 60 bp; found 59 bp",
        ),
        (lambda: make_front("signal", CONFIG, 1), "a network needs a window of 2 bp or more"),
        (
            lambda: ModelConfig(LENGTH, front="signal", image=ImageConfig()),
            "an image is drawn of a scalogram; the front 'signal' has none",
        ),
        (
            lambda: Recipe().with_front("fourier"),
            "front 'fourier' is not known; choose one of: wavelets, signal, pyramid",
        ),
        (
            lambda: ModelConfig(LENGTH, front="learned-filters"),
            "front 'learned-filters' was removed after version 0.1, .* train again with one of",
        ),
    ],
)
def test_errors_say_what_to_do(make, message):
    with pytest.raises(InputError, match=message):
        make()
