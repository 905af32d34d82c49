"""The effect protocol, and effects by name for the command line."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from facedots.analysis.mesh import Mesh
from facedots.effects.makeup import Blush, Brows, Lips
from facedots.effects.stickers import Stickers, sticker_names
from facedots.effects.swap import swap_faces
from facedots.errors import StickerError
from facedots.geometry import Image
from facedots.types import Face


class Effect(Protocol):
    """Anything done to the faces of an image: ``effect(image, faces) -> image``.

    Example:
        >>> class Invert:
        ...     def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        ...         return 255 - image
        >>> effect: Effect = Invert()
    """

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A new RGB image of the same size; the input stays as it is."""
        ...


_MAKERS: Mapping[str, Callable[[], Effect]] = MappingProxyType(
    {"lips": Lips, "brows": Brows, "blush": Blush, "mesh": Mesh, "swap": lambda: swap_faces}
)


def effect_names() -> list[str]:
    """The names of :func:`named_effects`: built-in stickers and effects.

    >>> " ".join(effect_names())
    'crown dog-ears dog-nose hat mustache party-mask sunglasses lips brows blush mesh swap'
    """
    return [*sticker_names(), *_MAKERS]


def named_effects(names: str) -> list[Effect]:
    """The effects of a comma-separated list of :func:`effect_names` and paths of stickers' YAML
    files, as in ``"lips,sunglasses,my/hat.yaml"``.

    Raises:
        StickerError: A name is unknown, or a sticker's file has faults.
    """
    items = [name.strip() for name in names.split(",") if name.strip()]
    if not items:
        raise StickerError(f"no effect is named; {_choices()}")
    return [_named(name) for name in items]


def chain_effects(effects: Sequence[Effect]) -> Effect:
    """One effect that applies several in their order.

    >>> chain_effects(named_effects("lips,hat"))  # doctest: +ELLIPSIS
    <function chain_effects...>
    """

    def apply_all(image: Image, faces: Sequence[Face]) -> Image:
        for effect in effects:
            image = effect(image, faces)
        return image

    return apply_all


def _named(name: str) -> Effect:
    if name in _MAKERS:
        return _MAKERS[name]()
    if name in sticker_names() or Path(name).suffix in (".yaml", ".yml"):
        return Stickers([name])
    raise StickerError(f"{name}: no such effect; {_choices()}")


def _choices() -> str:
    return f"there are {', '.join(effect_names())}, and a sticker's .yaml file"
