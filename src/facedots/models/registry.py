"""Networks by name. Each holds its :class:`~facedots.spec.ModelSpec`: how to feed and decode it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from facedots.errors import RecipeError
from facedots.models.base import KeypointNet
from facedots.models.baseline_cnn import BaselineCNN
from facedots.models.efficientnet_lite import EfficientNetLiteHeatmap
from facedots.models.residual import RESIDUAL_NETS
from facedots.schema import IBUG68, KeypointSchema

MODELS: Mapping[str, Callable[..., KeypointNet]] = MappingProxyType(
    {"baseline": BaselineCNN, **RESIDUAL_NETS, "large": EfficientNetLiteHeatmap}
)
"""Name -> constructor of a network from a schema and a number of label styles."""


def build_model(name: str, schema: KeypointSchema = IBUG68, num_styles: int = 1) -> KeypointNet:
    """A network with random weights.

    Args:
        name: One of :data:`MODELS`.
        schema: The points it predicts.
        num_styles: Label styles it is trained on, one per data set.

    Raises:
        RecipeError: No network has this name.

    >>> build_model("small").spec.input_size
    128
    """
    if name not in MODELS:
        raise RecipeError(f"unknown network {name!r}; choose one of {', '.join(sorted(MODELS))}")
    return MODELS[name](schema, num_styles)
