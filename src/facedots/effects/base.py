"""Effects by name, for places where a string arrives: the command line."""

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
    """Something done to the faces of an image: ``effect(image, faces) -> image``."""

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A new RGB image of the same size; the given one stays as it is. Without faces it is a
        copy.
        """
        ...


_MAKERS: Mapping[str, Callable[[], Effect]] = MappingProxyType(
    {"lips": Lips, "brows": Brows, "blush": Blush, "mesh": Mesh, "swap": lambda: swap_faces}
)


def effect_names() -> list[str]:
    """What :func:`named_effects` knows besides a user's own stickers.

    >>> " ".join(effect_names())
    'crown dog-ears dog-nose hat mustache party-mask sunglasses lips brows blush mesh swap'
    """
    return [*sticker_names(), *_MAKERS]


def named_effects(names: str) -> list[Effect]:
    """The effects that a comma-separated list names, to be applied in that order.

    Args:
        names: As in ``"lips,sunglasses,my/hat.yaml"``: names from :func:`effect_names`, and paths
            of stickers' YAML files.

    Raises:
        StickerError: A name is unknown, or a sticker's file has faults.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if not wanted:
        raise StickerError(
            f"no effect is named; there are {', '.join(effect_names())}, and a sticker's .yaml file"
        )
    return [_named(name) for name in wanted]


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
    raise StickerError(
        f"{name}: no such effect; there are {', '.join(effect_names())}, and a sticker's .yaml file"
    )
