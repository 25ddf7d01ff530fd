import pytest
import torch

from wavebind.core.errors import InputError
from wavebind.models import Classifier, ModelConfig, build_model
from wavebind.models.images.efficientnet import EfficientNetConfig, EfficientNetLite0
from wavebind.models.images.pretrained import LITE0_IMAGENET, load_into, read_weights


@pytest.fixture(scope="module")
def published():
    return read_weights(LITE0_IMAGENET.find())


@pytest.mark.parametrize("size", [(64, 64), (97, 130)])
def test_published_weights_give_what_the_published_code_gives(published, size):
    from efficientnet_lite_pytorch import EfficientNet

    reference = EfficientNet.from_name("efficientnet-lite0", num_classes=1000, image_size=None)
    reference = EfficientNet.from_name("efficientnet-lite0", image_size=size)
    reference.load_state_dict(published)
    network = EfficientNetLite0(EfficientNetConfig(), (3, *size), 1000)
    network.load_state_dict(published)
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(
            network.eval()(images), reference.eval()(images), rtol=1e-3, atol=1e-4
        )


def test_the_number_of_weights_is_the_published_one():
    network = EfficientNetLite0(EfficientNetConfig(), (3, 64, 64), 1000)
    assert sum(p.numel() for p in network.parameters()) == 4_652_008


def test_any_input_and_its_stages():
    model = build_model(
        ModelConfig(48, backbone="efficientnet-lite0"), torch.Generator().manual_seed(0)
    ).eval()
    codes = torch.randint(0, 4, (3, 48), dtype=torch.uint8)
    assert model(codes).shape == (3,)
    assert list(model.stages()) == [f"stage{i}" for i in range(1, 8)]
    maps = model.run_segments(model.features(codes), 0, 3)
    assert maps.shape[:2] == (3, 24)


def test_published_filters_for_eight_channels(published):
    model = Classifier(ModelConfig(48, backbone="efficientnet-lite0"))
    load_into(model.backbone, published, "_conv_stem.weight", "_fc.")
    own = model.backbone.state_dict()
    expected = published["_conv_stem.weight"].sum(1, keepdim=True) / 8
    torch.testing.assert_close(own["_conv_stem.weight"], expected.repeat(1, 8, 1, 1))
    assert own["_fc.weight"].shape == (1, 1280)
    torch.testing.assert_close(own["_bn1.running_var"], published["_bn1.running_var"])


def test_settings_out_of_range():
    with pytest.raises(InputError, match="dropout must be from 0 to below 1; found 1"):
        EfficientNetConfig(dropout=1.0)
