"""What travels with a network: all that is needed to use it, in one value that fits into a file's
metadata.
"""

import json
from dataclasses import dataclass

from facedots.geometry import CropSpec
from facedots.schema import KeypointSchema

_RENAMED = {"course": "baseline"}
"""Networks that weight files of 2026 call otherwise."""


@dataclass(frozen=True)
class ModelSpec:
    """How to feed a network and read its answer.

    Attributes:
        name: The network's name in the registry.
        schema: What its K points mean.
        crop: Which square of the image it sees.
        input_size: Side of its square input, in pixels.
        channels: 3 for RGB, 1 for gray.
        mean: Subtracted from each channel of the image in [0, 1].
        std: Divides each channel after that.
        dof: Degrees of freedom, above 2, of the Student law that the errors of its points follow;
            ``None`` for a Gaussian. See :mod:`facedots.uncertainty`.
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
            raise ValueError(
                f"model {self.name}: 1 or 3 channels, with as many means and deviations"
            )
        if self.dof is not None and not self.dof > 2:
            raise ValueError(
                f"model {self.name}: errors with a tail of {self.dof} have no covariance; it is above 2, or None"
            )

    def to_json(self) -> str:
        """One line of JSON; :meth:`from_json` reads it back."""
        fields = {
            "name": self.name,
            "schema": json.loads(self.schema.to_json()),
            "framing": {"kind": self.crop.mode, "scale": self.crop.scale},
            "input_size": self.input_size,
            "channels": self.channels,
            "mean": self.mean,
            "std": self.std,
            "tail": self.dof,
        }
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> "ModelSpec":
        """The spec that :meth:`to_json` wrote; files of before the tail was known have none."""
        fields = json.loads(text)
        return cls(
            name=_RENAMED.get(fields["name"], fields["name"]),
            schema=KeypointSchema.from_json(json.dumps(fields["schema"])),
            crop=CropSpec(fields["framing"]["kind"], fields["framing"]["scale"]),
            input_size=fields["input_size"],
            channels=fields["channels"],
            mean=tuple(fields["mean"]),
            std=tuple(fields["std"]),
            dof=fields.get("tail"),
        )
