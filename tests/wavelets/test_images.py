import matplotlib as mpl
import numpy as np
import pytest
import torch

from wavebind.core.errors import InputError
from wavebind.wavelets.images import (
    COLOUR_MAPS,
    ImageConfig,
    ScalogramImage,
    colour_table,
    unit_range,
)


def planes(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_colours_are_those_of_matplotlib(name):
    values = planes(2, 1, 7, 9)
    image = ScalogramImage(ImageConfig(name, size=None))(values)
    assert image.shape == (2, 3, 7, 9)
    for one, coloured in zip(values, image, strict=True):
        v = one[0].numpy()
        unit = (v - v.min()) / (v.max() - v.min())
        expected = mpl.colormaps[name](np.round(unit * 255).astype(int))[..., :3]
        np.testing.assert_allclose(coloured.permute(1, 2, 0).numpy(), expected, atol=1e-6)


def test_the_ends_of_turbo():
    table = colour_table("turbo")
    # Mikhailov 2019, the first and the last entry of the published table.
    np.testing.assert_allclose(table[0], [0.18995, 0.07176, 0.23217], atol=1e-5)
    np.testing.assert_allclose(table[-1], [0.47960, 0.01583, 0.01055], atol=1e-5)


def test_scaling_by_window_and_by_dataset():
    values = planes(3, 2, 4, 5)
    unit = unit_range(values, None, None)
    assert torch.equal(unit.amin((2, 3)), torch.zeros(3, 2))
    torch.testing.assert_close(unit.amax((2, 3)), torch.ones(3, 2))
    torch.testing.assert_close(unit_range(values, 0.25, 0.75), ((values - 0.25) / 0.5).clamp(0, 1))
    assert unit_range(torch.full((1, 1, 2, 2), 3.0), None, None).abs().max() == 0


def test_channels_keep_their_order_and_size():
    values = planes(2, 4, 8, 20)
    module = ScalogramImage(ImageConfig(size=(16, 24)))
    image = module(values)
    assert image.shape == (2, 12, 16, 24)
    torch.testing.assert_close(image[:, 3:6], module(values[:, 1:2]))
    assert image.min() >= 0
    assert image.max() <= 1


def test_resizing_a_ramp():
    ramp = torch.arange(8.0).repeat(8, 1)[None, None]
    image = ScalogramImage(ImageConfig("gray", size=(4, 16)))(ramp)[0, 0]
    assert (image.diff(dim=1) >= 0).all()
    torch.testing.assert_close(image[0], image[3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colours": "rainbow"}, "colour map 'rainbow' is not known; choose one of: turbo"),
        ({"size": (0, 5)}, "1 pixel or more each way"),
        ({"scaling": "sample"}, "scaling 'sample' is not known"),
        ({"scaling": "dataset"}, "needs low < high; found None and None"),
        ({"scaling": "dataset", "low": 2.0, "high": 1.0}, "needs low < high; found 2.0 and 1.0"),
    ],
)
def test_configurations_that_are_not(options, message):
    with pytest.raises(InputError, match=message):
        ImageConfig(**options)


def test_a_table_that_is_not():
    with pytest.raises(InputError, match="colour map 'x' is not known"):
        colour_table("x")
