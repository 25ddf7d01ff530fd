import re

import pytest
import torch

from wavebind.core.errors import InputError
from wavebind.models import Classifier, ModelConfig, build_model
from wavebind.models.images.resnet import ResNet, ResNetConfig
from wavebind.wavelets.images import ImageConfig
from wavebind.wavelets.scalograms import ScalogramConfig

#: Parameters of torchvision's networks with 1,000 classes (its model pages).
PUBLISHED = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032}


@pytest.mark.parametrize("depth", PUBLISHED)
def test_the_number_of_weights_is_the_published_one(depth):
    network = ResNet(depth, ResNetConfig(), (3, 64, 64))
    width = network.fc.in_features
    n = sum(p.numel() for p in network.parameters())
    assert n - (width + 1) + 1000 * (width + 1) == PUBLISHED[depth]


def test_names_are_those_of_torchvision():
    names = set(ResNet(50, ResNetConfig(), (3, 64, 64)).state_dict())
    for name in (
        "conv1.weight",
        "bn1.running_mean",
        "layer1.0.downsample.0.weight",
        "layer1.0.downsample.1.num_batches_tracked",
        "layer3.5.conv3.weight",
        "layer4.2.bn3.bias",
        "fc.weight",
    ):
        assert name in names
    pattern = r"(layer[1-4]\.\d\.(conv[123]|bn[123]|downsample\.[01])|conv1|bn1|fc)\.\w+"
    assert all(re.fullmatch(pattern, name) for name in names)


def test_a_block_is_its_formula():
    """Halved size at the 3x3 convolution, projection on the short cut, addition before the relu."""
    network = ResNet(50, ResNetConfig(), (3, 64, 64)).eval()
    block = network.layer2[0]
    x = torch.randn(1, 256, 16, 16, generator=torch.Generator().manual_seed(0)).relu()
    y = torch.relu(block.bn1(torch.nn.functional.conv2d(x, block.conv1.weight)))
    y = torch.relu(
        block.bn2(torch.nn.functional.conv2d(y, block.conv2.weight, stride=2, padding=1))
    )
    y = block.bn3(torch.nn.functional.conv2d(y, block.conv3.weight))
    short = torch.nn.functional.conv2d(x, block.downsample[0].weight, stride=2)
    torch.testing.assert_close(block(x), torch.relu(y + block.downsample[1](short)))
    assert block(x).shape == (1, 512, 8, 8)


def test_scalograms_as_images_go_in_and_one_logit_a_window_comes_out():
    config = ModelConfig(
        48,
        ScalogramConfig("integer", outputs=("modulus",), n_scales=16),
        "resnet18",
        {},
        ImageConfig(size=(32, 32)),
    )
    model = build_model(config, torch.Generator().manual_seed(0)).eval()
    codes = torch.randint(0, 4, (3, 48), dtype=torch.uint8)
    assert model.features(codes).shape == (3, 3, 32, 32)
    assert model(codes).shape == (3,)
    assert list(model.stages()) == ["layer1", "layer2", "layer3", "layer4.0", "layer4.1"]


def test_any_number_of_channels():
    model = Classifier(ModelConfig(48, backbone="resnet18"))
    assert model.backbone.conv1.in_channels == 8


def test_there_is_nothing_to_choose():
    with pytest.raises(InputError, match="options of resnet18: depth"):
        ModelConfig(48, backbone="resnet18", options={"depth": 101})
