"""Training canvases of the finder: where the faces are, what counts, and that they repeat."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from facedots.data.canvas import ImageCache
from facedots.data.canvases import CanvasDataset
from facedots.data.scenes import Scene, load_scenes, tilted_square, write_scenes
from facedots.data.targets import finder_targets
from facedots.detection.finder import decode_squares, tilted_squares
from facedots.errors import DataError, ImageError

NONE = np.zeros((0, 4), np.float32)


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    """A photo with two disks for faces, red around blue, and a black one without."""
    image = np.zeros((200, 300, 3), np.uint8)
    for x, y in ((100, 90), (220, 120)):
        cv2.circle(image, (x, y), 30, (0, 0, 255), -1)
        cv2.circle(image, (x, y - 20), 6, (255, 0, 0), -1)  # towards the top of the head
    cv2.imwrite(str(tmp_path / "faces.png"), image)
    cv2.imwrite(str(tmp_path / "none.png"), np.zeros((80, 100, 3), np.uint8))
    squares = np.array([[100, 90, 60, 0], [220, 120, 60, 0]], np.float32)
    unknown = np.full((2, 14, 2), np.nan, np.float32)
    return [
        Scene(tmp_path / "faces.png", "faces", squares, lower_faces=unknown),
        Scene(tmp_path / "none.png", "empty"),
    ]


@pytest.mark.parametrize("size", [64, 192])  # one scene; mostly four or sixteen
def test_squares_follow_the_faces_through_every_map(scenes: list[Scene], size: int) -> None:
    canvases = CanvasDataset(scenes, 120, size)
    canvases._occlude = lambda canvas: None  # type: ignore[method-assign]
    checked = 0
    for row in range(120):
        canvas = canvases._symmetric(canvases.draw(1, row))
        for x, y, side, roll in canvas.squares:
            if side < 24 or not (4 < x < size - 5 and 4 < y < size - 5):
                continue
            assert canvas.image[round(y), round(x), 0] > 100  # red
            turn = np.deg2rad(roll)
            top = np.array([x + np.sin(turn) * side / 3, y - np.cos(turn) * side / 3])
            column, line = top.round().astype(int)
            if size == 64 and 0 <= column < size and 0 <= line < size:
                assert canvas.image[line, column, 2] > 100  # blue
                checked += 1
    assert checked > 20 or size > 64


def test_faces_are_many_and_many_are_turned(scenes: list[Scene]) -> None:
    canvases = CanvasDataset(scenes, 60, size=192)
    canvas = [canvases._symmetric(canvases.draw(1, row)) for row in range(60)]
    rolls = np.concatenate([one.squares[:, 3] for one in canvas])
    assert len(rolls) > 3 * len(canvas)
    turned = np.cos(np.deg2rad(rolls)) < 0.5
    assert 0.5 < turned.mean() < 0.75


def test_a_drawn_canvas_is_shown_again_mirrored_or_turned(scenes: list[Scene]) -> None:
    canvases = CanvasDataset(scenes, 4, size=64, redraw=2)
    canvases.photometric.transforms = []
    first, second, third = (canvases[epoch, 0]["image"].numpy() for epoch in range(3))
    again = [np.rot90(one, k) for one in (second, second[:, ::-1]) for k in range(4)]
    assert any((one == first).all() for one in again)
    assert not any((np.rot90(third, k) == first).all() for k in range(4))


def test_a_canvas_depends_on_seed_epoch_and_index_alone(scenes: list[Scene]) -> None:
    first, second = (CanvasDataset(scenes, 4, size=64) for _ in range(2))
    _ = second[0, 1]
    for name, value in first[1, 3].items():
        assert torch.equal(value, second[1, 3][name])
    assert not torch.equal(first[1, 3]["image"], first[2, 3]["image"])


def test_targets_are_what_the_network_must_answer() -> None:
    squares = np.array([[40, 30, 32, -120], [100, 90, 12, 75], [20, 100, 5, 0]], np.float32)
    targets = finder_targets(squares, np.array([[100, 0, 127, 20]], np.float32), 128)
    assert np.argwhere(targets.heat == 1).tolist() == [[3, 5], [11, 12]]
    rows, columns = [3, 11], [5, 12]
    decoded = tilted_squares(decode_squares(targets.square[:, rows, columns], rows, columns))
    np.testing.assert_allclose(decoded, squares[:2], rtol=1e-5)
    assert targets.regressed[3, 5] == 1
    assert targets.counted[0, 14] == 0  # ignored
    assert targets.counted[12, 2] == 0  # too small to count
    assert targets.counted[8, 8] == 1


def test_faces_a_little_too_large_teach_their_side_and_do_not_count() -> None:
    square = np.array([[48, 48, 40, 0]], np.float32)
    targets = finder_targets(square, NONE, 96)
    rows, columns = targets.regressed.nonzero()
    assert len(rows)
    decoded = tilted_squares(decode_squares(targets.square[:, rows, columns], rows, columns))
    np.testing.assert_allclose(decoded, np.repeat(square, len(decoded), axis=0), rtol=1e-5)
    assert targets.heat.max() == 0
    assert not targets.counted[rows, columns].any()


def test_small_faces_are_in_large_canvases_too(scenes: list[Scene]) -> None:
    canvases = CanvasDataset(scenes, 60)
    sides = [canvas.squares[:, 2] for i in range(60) for canvas in [canvases.draw(1, i)]]
    alone = np.concatenate([one for one in sides if len(one) <= 2])
    assert alone.min() < 13
    assert alone.max() > 38


def test_faces_without_a_known_roll_teach_none() -> None:
    targets = finder_targets(np.array([[40, 30, 32, np.nan]], np.float32), NONE, 64)
    assert targets.regressed[3, 5] == 1
    assert (targets.square[3:] == 0).all()


def test_scenes_are_read_as_written(scenes: list[Scene], tmp_path: Path) -> None:
    write_scenes(scenes, tmp_path)
    for written, read in zip(scenes, load_scenes(tmp_path), strict=True):
        assert (read.image, read.source) == (written.image, written.source)
        np.testing.assert_array_equal(read.squares, written.squares)
        np.testing.assert_array_equal(read.lower_faces, written.lower_faces)


def test_errors_name_file_and_line(tmp_path: Path, scenes: list[Scene]) -> None:
    with pytest.raises(DataError, match="finder_scenes"):
        load_scenes(tmp_path)
    (tmp_path / "scenes.jsonl").write_text('{"image": "a.jpg"}\n')
    with pytest.raises(DataError, match="line 1: not a scene"):
        load_scenes(tmp_path)
    with pytest.raises(DataError, match="without faces"):
        CanvasDataset(scenes[:1], 4)
    with pytest.raises(ImageError, match="cannot be decoded"):
        ImageCache(0).read(tmp_path / "missing.jpg")


def test_photos_are_decoded_as_coarse_as_the_zoom_allows(scenes: list[Scene]) -> None:
    images = ImageCache(1e9)
    image, divisor = images.read(scenes[0].image, 0.3)
    assert (image.shape, divisor) == ((100, 150, 3), 2)
    assert images.read(scenes[0].image, 0.3)[0] is image


@pytest.mark.parametrize("roll", [-150.0, 0.0, 40.0])
def test_the_square_of_a_face_is_tilted_with_it(roll: float) -> None:
    turn = np.deg2rad(roll)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    upright = np.array([[-10, -15], [10, -15], [-20, 0], [20, 0], [0, 25]], np.float32)
    square = tilted_square(upright @ rotation + (50, 60), (0, 1))
    middle = np.array([0, 5]) @ rotation + (50, 60)
    np.testing.assert_allclose(square, [*middle, 40, roll], atol=1e-3)
