"""Calibration before the export. On held-out faces: of the covariance of points and pupils, and of
the probability that a point is visible. On training faces: of int8.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facedots.annotations.base import FaceAnnotation
from facedots.data.crops import CropDataset, Item
from facedots.models.base import (
    HeatmapHead,
    KeypointNet,
    ModelOutput,
    VisibilityHead,
    calibrated_covariance,
)
from facedots.schema import PUPILS, KeypointSchema
from facedots.spec import ModelSpec
from facedots.training.losses import visibility_cross_entropy
from facedots.uncertainty import negative_log_likelihood

MIN_DOF, MAX_DOF = 2.5, 62.5
"""Range of the fitted degrees of freedom."""
MIN_FACES = 30
"""Held-out faces with labeled pupils, or hidden points, below which these are not calibrated."""
DRAWS = 4
"""Crops of each held-out face, to calibrate the visibility."""

_BATCH = 64


def calibrate_covariance(net: KeypointNet, faces: CropDataset) -> float | None:
    """Fit ``scale`` and ``floor`` of the points' covariance per region, which are stored in the
    network's head, and the degrees of freedom of the errors: by maximum likelihood of bivariate
    Student-t errors with the network's covariance (see :mod:`facedots.uncertainty`).

    Args:
        net: With one label style.
        faces: Test-time crops of faces that the network was not trained on.

    Returns:
        The degrees of freedom; ``None``, and nothing changes, where the network predicts no
        covariance or there are no faces.
    """
    head = net.head
    if not isinstance(head, HeatmapHead) or not len(faces):
        return None
    parts = [
        (points - item["points"], covariance)
        for item, output in _outputs(net, faces)
        for points, covariance in [head.decode_raw(output.logits[:, 0])]
    ]
    return _fit_covariance(head, net.spec.schema, *_joined(parts))


def calibrate_pupils(net: KeypointNet, faces: CropDataset) -> None:
    """The same for the pupils, of all label styles; nothing changes where fewer than
    :data:`MIN_FACES` have them labeled.
    """
    head = net.pupil_head
    labeled = [face for face in faces.faces.annotations if face.pupils is not None]
    if head is None or len(labeled) < MIN_FACES:
        return
    parts = [
        (pupils - item["pupils"], covariance)
        for item, output in _outputs(net, faces)
        if output.pupil_logits is not None
        for pupils, covariance in [head.decode_raw(output.pupil_logits)]
    ]
    _fit_covariance(head, PUPILS, *_joined(parts))


def calibrate_visibility(net: KeypointNet, faces: CropDataset) -> None:
    """Fit ``scale`` and ``offset`` of the log-odds that points are visible (Platt, 1999); nothing
    changes where fewer than :data:`MIN_FACES` crops have a hidden point.

    Args:
        net: With one label style.
        faces: Crops with occlusions, as they are trained on, of faces that were not.
    """
    head = net.visibility_head
    if head is None:
        return
    parts = [
        (head.decode(output.visibility_maps, output.logits[:, 0]), item["visible"])
        for draw in range(DRAWS)
        for item, output in _outputs(net, faces, draw)
        if output.visibility_maps is not None
    ]
    log_odds, visible = _joined(parts)
    if int((visible == 0).any(dim=1).sum()) < MIN_FACES:
        return
    _fit_log_odds(head, log_odds, visible)


def _outputs(
    net: KeypointNet, faces: CropDataset, epoch: int = 0
) -> Iterator[tuple[Item, ModelOutput]]:
    """Batches of crops, as drawn in an epoch, and what the network makes of them."""
    for start in range(0, len(faces), _BATCH):
        items = [faces[epoch, row] for row in range(start, min(start + _BATCH, len(faces)))]
        batch = {name: torch.stack([item[name] for item in items]) for name in items[0]}
        with torch.no_grad():
            yield batch, net(net.normalize(batch["crop"]))


def _joined(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    first, second = zip(*parts, strict=True)
    return torch.cat(first), torch.cat(second)


def _fit_covariance(
    head: HeatmapHead, schema: KeypointSchema, errors: Tensor, raw_covariance: Tensor
) -> float:
    """Set ``scale`` and ``floor`` of a head by errors ``(N, K, 2)`` and uncalibrated covariance
    ``(N, K, 2, 2)`` in pixels of the crop.

    Returns:
        The degrees of freedom.
    """
    # Mask missing points before the loss: a NaN in the gradient survives any weight of 0.
    labeled = errors.isfinite().all(-1)
    region = torch.tensor([list(schema.regions).index(name) for name in schema.region_of])
    count = int(region.max()) + 1
    start = torch.tensor([0.0] * 2 * count + [1.5])
    parameters = start.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=200, line_search_fn="strong_wolfe")

    def unpacked() -> tuple[Tensor, Tensor, Tensor]:
        scale, floor, dof = parameters[:count], parameters[count:-1], parameters[-1]
        dof = MIN_DOF + dof.exp().clamp(max=MAX_DOF - MIN_DOF)
        return scale.exp()[region], floor.exp()[region], dof

    def loss() -> Tensor:
        optimizer.zero_grad()
        scale, floor, dof = unpacked()
        covariance = calibrated_covariance(raw_covariance, scale, floor)
        nll = negative_log_likelihood(errors[labeled], covariance[labeled], dof).mean()
        value = nll + 1e-4 * (parameters - start).square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    scale, floor, dof = (value.detach() for value in unpacked())
    head.scale.copy_(scale)
    head.floor.copy_(floor)
    return float(dof)


def _fit_log_odds(head: VisibilityHead, log_odds: Tensor, visible: Tensor) -> None:
    """Set ``scale`` and ``offset`` of a head by uncalibrated log-odds ``(N, K)`` and the truth."""
    parameters = torch.tensor([1.0, 0.0], requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = visibility_cross_entropy(parameters[0] * log_odds + parameters[1], visible)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    scale, offset = parameters.detach()
    head.scale.copy_(scale)
    head.offset.copy_(offset)


def calibration_crops(
    faces: list[FaceAnnotation], spec: ModelSpec, count: int = 200
) -> NDArray[np.uint8]:
    """Test-time crops ``uint8 (N, S, S, C)`` of faces spread evenly over the list, by which int8
    is calibrated.
    """
    crops = CropDataset(faces[:: max(1, len(faces) // count)][:count], spec)
    return np.stack([crops[0, i]["crop"].permute(1, 2, 0).numpy() for i in range(len(crops))])
