"""Networks by name. Each carries its :class:`~facedots.spec.ModelSpec`: how to feed it and read its answer."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from facedots.errors import RecipeError
from facedots.models.base import KeypointNet
from facedots.models.course_net import CourseNet
from facedots.models.small_net import SmallNet
from facedots.schema import IBUG68, KeypointSchema

MODELS: Mapping[str, Callable[[KeypointSchema], KeypointNet]] = MappingProxyType({"course": CourseNet, "small": SmallNet})
"""Name -> network class, for places where a string arrives (recipes, the command line)."""


def build_model(name: str, schema: KeypointSchema = IBUG68) -> KeypointNet:
    """A fresh network with random weights.

    Raises:
        RecipeError: No network has this name.
    """
    if name not in MODELS:
        raise RecipeError(f"no network is called {name!r}; there are: {', '.join(sorted(MODELS))}")
    return MODELS[name](schema)
