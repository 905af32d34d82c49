from pathlib import Path

import numpy as np
import pytest

from facedots.effects.base import chain_effects, effect_names, named_effects
from facedots.effects.makeup import Lips
from facedots.effects.stickers import FOLDER, Stickers
from facedots.errors import StickerError
from facedots.geometry import Image
from facedots.types import Face


@pytest.mark.parametrize("name", effect_names())
def test_every_effect_changes_faces_and_leaves_the_image(
    name: str, two_faces: tuple[Image, list[Face]]
) -> None:
    image, faces = two_faces
    before = image.copy()
    (effect,) = named_effects(name)
    result = effect(image, faces)
    assert result.shape == image.shape
    assert result.dtype == np.uint8
    assert (result != image).any()
    assert (image == before).all()


def test_names_keep_their_order_and_paths_are_own_stickers(tmp_path: Path) -> None:
    for suffix in ("png", "yaml"):
        (tmp_path / f"mine.{suffix}").write_bytes((FOLDER / f"hat.{suffix}").read_bytes())
    (tmp_path / "hat.png").write_bytes((FOLDER / "hat.png").read_bytes())
    effects = named_effects(f" lips, {tmp_path / 'mine.yaml'} ,hat")
    assert [type(effect) for effect in effects] == [Lips, Stickers, Stickers]


def test_effects_are_chained_in_order(two_faces: tuple[Image, list[Face]]) -> None:
    image, faces = two_faces
    lips, hat = named_effects("lips,hat")
    chained = chain_effects([lips, hat])(image, faces)
    assert (chained == hat(lips(image, faces), faces)).all()


@pytest.mark.parametrize(
    ("names", "message"),
    [("lips,beard", "beard: no such effect; there are crown"), (" , ", "no effect is named")],
)
def test_unknown_names_get_the_list(names: str, message: str) -> None:
    with pytest.raises(StickerError, match=message):
        named_effects(names)
