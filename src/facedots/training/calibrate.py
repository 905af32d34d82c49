"""Makes a network's covariance mean what it says, on faces that it was not trained on."""

import torch
from torch import Tensor

from facedots.data.crops import CropDataset
from facedots.models.base import HeatmapHead, KeypointNet, calibrated
from facedots.uncertainty import negative_log_likelihood

SMALLEST_TAIL, LARGEST_TAIL = 2.5, 60.0


def calibrate(net: KeypointNet, faces: CropDataset, batch_size: int = 64) -> float | None:
    """Fit gain and floor of the covariance for each region, and the tail of the errors' law; the
    first two stay in the network.

    The errors are taken for a bivariate Student-t with the network's covariance (see
    :mod:`facedots.uncertainty`), whose likelihood on these faces is maximized.

    Args:
        net: Answers in one style.
        faces: Crops of test time, none of them trained on.
        batch_size: Crops at once.

    Returns:
        The degrees of freedom, or ``None`` where the network gives no covariance or there are no
        faces: nothing changes then.
    """
    head = net.head
    if not isinstance(head, HeatmapHead) or not len(faces):
        return None
    errors, doubts = _errors(net, head, faces, batch_size)
    known = errors.isfinite().all(
        -1
    )  # A missing point's NaN would survive in the gradient, whatever its loss counts.
    region = _region_numbers(net)
    count = int(region.max()) + 1
    start = torch.tensor([0.0] * count + [0.0] * count + [1.5])
    parameters = start.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=200, line_search_fn="strong_wolfe")

    def parts() -> tuple[Tensor, Tensor, Tensor]:
        gain, floor, dof = parameters[:count], parameters[count:-1], parameters[-1]
        return (
            gain.exp()[region],
            floor.exp()[region],
            SMALLEST_TAIL + dof.exp().clamp(max=LARGEST_TAIL),
        )

    def loss() -> Tensor:
        optimizer.zero_grad()
        gain, floor, dof = parts()
        covariance = calibrated(doubts, gain, floor)
        value = (
            negative_log_likelihood(errors[known], covariance[known], dof).mean()
            + 1e-4 * (parameters - start).square().sum()
        )
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    gain, floor, dof = (part.detach() for part in parts())
    head.gain.copy_(gain)
    head.floor.copy_(floor)
    return float(dof)


def _errors(
    net: KeypointNet, head: HeatmapHead, faces: CropDataset, batch_size: int
) -> tuple[Tensor, Tensor]:
    """Errors ``(N, K, 2)`` and uncalibrated covariance ``(N, K, 2, 2)`` in pixels of the crop."""
    errors, doubts = [], []
    for start in range(0, len(faces), batch_size):
        items = [faces[0, row] for row in range(start, min(start + batch_size, len(faces)))]
        with torch.inference_mode():
            raw = net(net.normalize(torch.stack([item["crop"] for item in items]))).raw[:, 0]
            points, doubt = head.doubt(raw)
        errors.append(points - torch.stack([item["points"] for item in items]))
        doubts.append(doubt)
    return torch.cat(errors).clone(), torch.cat(doubts).clone()


def _region_numbers(net: KeypointNet) -> Tensor:
    """The number ``(K,)`` of each point's region."""
    schema = net.spec.schema
    names = list(schema.regions)
    return torch.tensor([names.index(region) for region in schema.region_of])
