"""Post-hoc covariance calibration on held-out faces (Student-t likelihood)."""

import torch
from torch import Tensor

from facedots.data.crops import CropDataset
from facedots.models.base import HeatmapHead, KeypointNet, calibrated_covariance
from facedots.uncertainty import negative_log_likelihood

MIN_DOF, MAX_DOF = 2.5, 62.5


def calibrate_covariance(
    net: KeypointNet, faces: CropDataset, batch_size: int = 64
) -> float | None:
    """Fit ``scale`` and ``floor`` of the covariance per region, and the degrees of freedom of the
    errors; the first two are stored in the network's head.

    The errors are modeled as bivariate Student-t with the network's covariance (see
    :mod:`facedots.uncertainty`); their likelihood is maximized.

    Args:
        net: With one label style.
        faces: Test-time crops of faces that the network was not trained on.
        batch_size: Crops per forward pass.

    Returns:
        The degrees of freedom; ``None``, and nothing changes, where the network predicts no
        covariance or there are no faces.
    """
    head = net.head
    if not isinstance(head, HeatmapHead) or not len(faces):
        return None
    errors, raw_covariance = _raw_predictions(net, head, faces, batch_size)
    # Mask missing points before the loss: a NaN in the gradient survives any weight of 0.
    labeled = errors.isfinite().all(-1)
    schema = net.spec.schema
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


def _raw_predictions(
    net: KeypointNet, head: HeatmapHead, faces: CropDataset, batch_size: int
) -> tuple[Tensor, Tensor]:
    """Errors ``(N, K, 2)`` and uncalibrated covariance ``(N, K, 2, 2)`` in pixels of the crop."""
    errors, covariances = [], []
    for start in range(0, len(faces), batch_size):
        items = [faces[0, row] for row in range(start, min(start + batch_size, len(faces)))]
        with torch.inference_mode():
            logits = net(net.normalize(torch.stack([item["crop"] for item in items]))).logits
            points, covariance = head.decode_raw(logits[:, 0])
        errors.append(points - torch.stack([item["points"] for item in items]))
        covariances.append(covariance)
    return torch.cat(errors).clone(), torch.cat(covariances).clone()
