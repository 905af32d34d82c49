"""What Lightning trains for the finder: its recipe, losses, validation and schedule."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)
from torch import Tensor, nn
from torch.nn import functional as F

from facedots.data.scenes import Scene
from facedots.detection.finder import STRIDE, UNIT, Finder
from facedots.evaluation.detection import measure_detector
from facedots.geometry import Floats, Image
from facedots.models.finder import FinderModule, FinderNet, FinderOutput
from facedots.training.hardware import Device
from facedots.training.optimizers import muon_beside_adamw, warmup_then_cosine

CENTER_WEIGHT, SIDE_WEIGHT, ROLL_WEIGHT = 4.0, 2.0, 3.0
"""Weights of the losses of the square, relative to that of the score."""

_VALIDATION_FACE = 12.0
_LOWEST_SCORE = 0.05

Batch = Mapping[str, Tensor]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class FinderRecipe(BaseModel):
    """The settings of one training of the finder, see ``recipes/finder.yaml``.

    Raises:
        pydantic.ValidationError: A field is unknown or its value invalid.

    Example:
        >>> FinderRecipe(epochs=2).canvas
        192
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    model: Literal["finder"] = "finder"
    """The network."""
    epochs: PositiveInt = 40
    """Number of epochs."""
    canvases: PositiveInt = 8192
    """Canvases per epoch."""
    canvas: Annotated[int, Field(ge=64, multiple_of=32)] = 192
    """Side of a canvas in pixels."""
    batch_size: PositiveInt = 16
    """Canvases per step."""
    val_every: PositiveInt = 4
    """Epochs between looks at the held-out scenes, after each of which the weights are kept."""
    lr: PositiveFloat = 0.005
    """Peak learning rate; linear warm-up, then a cosine to 0."""
    warmup_fraction: Fraction = 0.01
    """Fraction of the steps that warm up."""
    weight_decay: NonNegativeFloat = 0.01
    """Decoupled weight decay of kernels and matrices."""
    ema_decay: Fraction = 0.998
    """Decay of the exponential moving average of the weights, which is what is kept."""
    device: Device = "cpu"
    """Device: cpu, cuda, mps, or auto: the first of cuda, mps and cpu that is there."""
    workers: NonNegativeInt = 0
    """Processes that draw canvases; 0 draws them in the training process."""
    threads: PositiveInt = 1
    """CPU threads of the training process."""
    seed: NonNegativeInt = 0
    """Seed of all randomness."""
    title: str = "finder"
    """Title of the model card."""
    license: str = ""
    """License of the weights, for the model card."""
    trained_on: str = ""
    """The training data in words, for the model card."""


class FinderTask(pl.LightningModule):
    """Training step, validation and schedule of the finder.

    Logs the four losses per epoch and the fields of
    :func:`~facedots.evaluation.detection.measure_detector` on the held-out scenes, as ``val_ap``.
    """

    def __init__(self, net: FinderNet, recipe: FinderRecipe, validation: Sequence[Scene]) -> None:
        super().__init__()
        self.net, self.recipe, self.validation = net, recipe, validation
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's stubs

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of one batch of :class:`~facedots.data.canvases.CanvasDataset`."""
        images = batch["image"].float() / 255
        losses = finder_losses(self.net(images), batch)
        total = torch.stack(list(losses.values())).sum()
        self.log_dict(losses, on_step=False, on_epoch=True, batch_size=len(images))
        self.log("train_loss", total, on_step=True, batch_size=len(images))
        return total

    def validation_step(self, _batch: Any, _: int) -> None:
        """The measures of all held-out scenes, by the averaged weights."""
        measures = measure_detector(torch_finder(self.net), self.validation)
        self.log_dict({f"val_{name}": value for name, value in measures.items()}, batch_size=1)

    def configure_optimizers(self) -> Any:
        """Muon for the 1x1 convolutions, AdamW for the rest; linear warm-up, then a cosine to 0."""
        recipe = self.recipe
        optimizer = _muon(self.net, recipe.lr, recipe.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)
        return warmup_then_cosine(optimizer, steps, recipe.warmup_fraction)


def _muon(net: FinderNet, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """Muon for the 1x1 convolutions but the last, AdamW for the rest."""
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    chosen = {layer.weight for layer in layers if layer.kernel_size == (1, 1)} - {net.output.weight}
    matrices = [value for value in net.parameters() if value in chosen]
    others = [value for value in net.parameters() if value not in chosen]
    return muon_beside_adamw(matrices, others, lr, weight_decay)


def finder_losses(output: FinderOutput, batch: Batch) -> dict[str, Tensor]:
    """The focal loss of the score per face (CenterNet, Zhou et al. 2019), and per cell of a face
    the L1 losses of center and side, both relative to the side, and of the roll's cosine and
    sine: normalized ones would grow until they learn no more.

    Args:
        output: For N canvases.
        batch: The fields of :class:`~facedots.data.targets.FinderTargets`, stacked.
    """
    heat, cells, target = batch["heat"], batch["regressed"], batch["square"]
    probability, positive = output.score.sigmoid(), heat == 1
    hit = -(1 - probability).square() * F.logsigmoid(output.score) * positive
    false = -((1 - heat) ** 4) * probability.square() * F.logsigmoid(-output.score) * ~positive
    side_in_cells = (target[:, 2].exp() * UNIT / STRIDE).clamp(min=1)
    center = (output.square[:, :2] - target[:, :2]).abs().sum(1) / side_in_cells
    side = (output.square[:, 2] - target[:, 2]).abs()
    turn, known = target[:, 3:], cells * target[:, 3:].square().sum(1)
    roll = F.smooth_l1_loss(output.square[:, 3:], turn, beta=1.0, reduction="none").sum(1)
    return {
        "score_loss": ((hit + false) * batch["counted"]).sum() / positive.sum().clamp(min=1),
        "center_loss": CENTER_WEIGHT * (center * cells).sum() / cells.sum().clamp(min=1),
        "side_loss": SIDE_WEIGHT * (side * cells).sum() / cells.sum().clamp(min=1),
        "roll_loss": ROLL_WEIGHT * (roll * known).sum() / known.sum().clamp(min=1),
    }


def torch_finder(net: FinderNet) -> Finder:
    """The detector that runs a network in torch, down to low scores."""
    module, device = FinderModule(net), next(net.parameters()).device

    def run(view: Image) -> tuple[Floats, Floats]:
        pixels = torch.from_numpy(np.ascontiguousarray(view))[None].to(device)
        with torch.inference_mode():
            scores, squares = module(pixels)
        return scores[0].cpu().numpy(), squares[0].cpu().numpy()

    return Finder(run, _LOWEST_SCORE, min_face=_VALIDATION_FACE)
