"""What travels with a network: how to feed it, what it is, and the protocol of its use."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from numpy.typing import ArrayLike

from facedots.geometry import CropSpec, Image
from facedots.schema import KeypointSchema
from facedots.types import Keypoints

_RENAMED = {"course": "baseline", "licence": "license"}
"""Names in the weight files of 2026 -> names of today."""


@dataclass(frozen=True)
class ModelSpec:
    """How to feed a network and read its output.

    Attributes:
        name: The network's name in the registry.
        schema: Meaning of its K points.
        crop: The square of the image that it sees.
        input_size: Side of its square input, in pixels.
        channels: 3 for RGB, 1 for gray.
        mean: Subtracted from each channel of the image in [0, 1].
        std: Divides each channel after that.
        dof: Degrees of freedom, above 2, of the Student law of the points' errors; ``None`` for a
            Gaussian. See :mod:`facedots.uncertainty`.

    Example:
        >>> spec = KeypointPredictor("small").spec  # doctest: +SKIP
        >>> spec.input_size, spec.schema.count  # doctest: +SKIP
        (128, 68)
    """

    name: str
    schema: KeypointSchema
    crop: CropSpec
    input_size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dof: float | None = None

    def __post_init__(self) -> None:
        if self.channels not in (1, 3) or not len(self.mean) == len(self.std) == self.channels:
            fault = "1 or 3 channels, with as many means and deviations"
            raise ValueError(f"model {self.name}: {fault}")
        if self.dof is not None and not self.dof > 2:
            fault = f"{self.dof} degrees of freedom have no covariance; it is above 2, or None"
            raise ValueError(f"model {self.name}: {fault}")

    def to_json(self) -> str:
        """One line of JSON; :meth:`from_json` reads it back."""
        values = {
            "name": self.name,
            "schema": json.loads(self.schema.to_json()),
            "framing": {"kind": self.crop.mode, "scale": self.crop.scale},
            "input_size": self.input_size,
            "channels": self.channels,
            "mean": self.mean,
            "std": self.std,
            "tail": self.dof,
        }
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> "ModelSpec":
        """The spec that :meth:`to_json` wrote; ``dof`` is ``None`` in files older than it."""
        stored = json.loads(text)
        return cls(
            name=_RENAMED.get(stored["name"], stored["name"]),
            schema=KeypointSchema.from_json(json.dumps(stored["schema"])),
            crop=CropSpec(stored["framing"]["kind"], stored["framing"]["scale"]),
            input_size=stored["input_size"],
            channels=stored["channels"],
            mean=tuple(stored["mean"]),
            std=tuple(stored["std"]),
            dof=stored.get("tail"),
        )


@dataclass(frozen=True)
class ModelCard:
    """What a weight file is, was trained on, scores, and may be used for.

    Attributes:
        title: One line of description.
        license: Terms of use.
        trained_on: The training data.
        split: The split whose training part that was, as in ``"official"``; the test part of
            another split may contain it.
        note: Anything else that a user must know.
        style: The data set whose labeling the points follow, where it was trained on several; else
            ``""``.
        scores: Measured scores by name, as in ``{"youtube-faces official nme": 4.0}``.

    Example:
        >>> ModelCard.from_json('{"title": "small", "license": "research only"}').license
        'research only'
    """

    title: str = ""
    license: str = ""
    trained_on: str = ""
    split: str = ""
    note: str = ""
    style: str = ""
    scores: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """The card in a JSON object; fields of later versions are ignored."""
        stored = {_RENAMED.get(name, name): value for name, value in json.loads(text).items()}
        names = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in names})


class Predictor(Protocol):
    """What finds keypoints in boxes, as :class:`~facedots.inference.predictor.KeypointPredictor`.

    Example:
        >>> def count_points(predictor: Predictor, image: Image) -> int:
        ...     return predictor.predict(image, [[10, 10, 90, 90]]).points.shape[1]
    """

    @property
    def spec(self) -> ModelSpec:
        """How the network is fed, and what its points mean."""

    def predict(
        self, image: Image, boxes: ArrayLike, squares: ArrayLike | None = None
    ) -> Keypoints:
        """The keypoints of N faces in one RGB image, from their tight boxes ``(N, 4)``.

        Args:
            image: ``uint8 (H, W, 3)``.
            boxes: ``x0 y0 x1 y1`` in pixels.
            squares: Tilted squares ``(N, 4)`` to use instead where they are known (not NaN), see
                :class:`~facedots.detection.base.Detections`.
        """
