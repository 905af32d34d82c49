"""Networks by name. Each carries its :class:`~facedots.spec.ModelSpec`: how to feed it and read its
answer.
"""

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
"""Name -> network from a schema and a number of label styles, for places where a string arrives
(recipes, the command line).
"""


def build_model(name: str, schema: KeypointSchema = IBUG68, styles: int = 1) -> KeypointNet:
    """A fresh network with random weights, which answers in so many label styles.

    Raises:
        RecipeError: No network has this name.
    """
    if name not in MODELS:
        raise RecipeError(f"no network is called {name!r}; there are: {', '.join(sorted(MODELS))}")
    return MODELS[name](schema, styles)
