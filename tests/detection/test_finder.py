"""The finder's search: views, squares in pixels of the image, repeated faces, bad files."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from facedots.detection.finder import PORTS, UNIT, Finder, open_finder
from facedots.detection.search import Search
from facedots.errors import FacedotsError, WeightsError
from facedots.geometry import Floats, Image
from facedots.io.pinned import WeightFile
from facedots.schema import IBUG68
from facedots.types import Keypoints


def bright_spots(view: Image) -> tuple[Floats, Floats]:
    """A network that takes each cell with a bright pixel for a face of 40 px, tilted by 30 degrees,
    around its brightest pixel.
    """
    rows, columns = view.shape[0] // 8, view.shape[1] // 8
    scores, squares = (
        np.zeros((rows, columns), np.float32),
        np.zeros((5, rows, columns), np.float32),
    )
    gray = view[..., 0]
    for row, column in np.ndindex(rows, columns):
        cell = gray[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        if cell.max() > 60:
            y, x = np.unravel_index(cell.argmax(), cell.shape)
            scores[row, column] = cell.max() / 255
            turn, middle = np.deg2rad(30), 3.5
            center = (x - middle) / 8, (y - middle) / 8
            squares[:, row, column] = *center, np.log(40 / UNIT), np.cos(turn), np.sin(turn)
    return scores, squares


def test_squares_are_in_pixels_of_the_image_whatever_its_size() -> None:
    image = np.zeros((150, 200, 3), np.uint8)
    image[100, 60] = 255
    detections = Finder(bright_spots, min_face=10)(image)
    assert detections.squares is not None
    np.testing.assert_allclose(detections.squares, [[60, 100, 40, 30]], rtol=1e-5)
    np.testing.assert_allclose(detections.boxes, [[40, 80, 80, 120]], rtol=1e-5)
    large = np.zeros((1500, 2000, 3), np.uint8)
    large[990:1010, 590:610] = 255
    found = Finder(bright_spots, min_face=120)(large).squares
    assert found is not None
    np.testing.assert_allclose(found[0], [600, 1000, 400, 30], atol=10)


def test_a_face_in_two_views_is_found_once_and_the_best_is_first() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[104:112, 104:112], image[400:408, 400:408] = 200, 255
    detections = Finder(bright_spots, 0.1, min_face=10)(image)
    assert (np.diff(detections.scores) <= 0).all()
    sides = detections.boxes[:, 2] - detections.boxes[:, 0]
    for x, y in ((104, 104), (400, 400)):
        middles = (detections.boxes[:, :2] + detections.boxes[:, 2:]) / 2
        near = np.hypot(*(middles - (x, y)).T) < 12
        found = sorted(sides[near].round().tolist())
        assert found[:4] == [40, 80, 160, 320]  # too unlike to be one face
        assert len(set(found)) == len(found)


def test_a_part_of_a_better_face_is_none() -> None:
    sides = iter(Finder(bright_spots, min_face=12).views(480, 480))

    def eye_and_face(view: Image) -> tuple[Floats, Floats]:
        """One face in the middle of each view's image, the better the smaller the view."""
        rows, columns = view.shape[0] // 8, view.shape[1] // 8
        side = next(sides)
        middle = (side / 2 - 4) / 8
        cell = round(middle)
        scores = np.zeros((rows, columns), np.float32)
        scores[cell, cell] = 1 - side / 1000
        squares = np.zeros((5, rows, columns), np.float32)
        squares[:2, cell, cell] = middle - cell
        return scores, squares

    found = Finder(eye_and_face, min_face=12)(np.zeros((480, 480, 3), np.uint8))
    # The views of 40 and 50 pixels agree, and are averaged; the others saw eyes.
    side = (0.96 * 32 * 480 / 40 + 0.95 * 32 * 480 / 50) / (0.96 + 0.95)
    assert found.boxes[:, 2] - found.boxes[:, 0] == pytest.approx([side])


def test_nothing_found_is_an_empty_result() -> None:
    detections = Finder(bright_spots)(np.zeros((90, 70, 3), np.uint8))
    assert detections.boxes.shape == (0, 4)
    assert detections.squares is not None
    assert detections.squares.shape == (0, 4)


def test_views_and_the_smallest_face() -> None:
    finder = Finder(bright_spots)
    assert finder.views(640, 480) == [400, 200, 100, 50, 40]
    assert finder.views(4000, 3000) == [640, 320, 160, 80, 40]
    assert finder.views(200, 100) == [200, 100, 50, 40]
    assert Finder(bright_spots, min_face=24).views(4000, 3000)[:3] == [1667, 834, 417]
    assert str(Finder(bright_spots, search="fast").search_range(640, 480)).startswith(
        "faces from 59 pixels, at any angle"
    )
    assert finder.search_range(640, 480).smallest == 16
    assert finder.search_range(4000, 1000).smallest == 62.5
    assert Finder(bright_spots, min_face=2).search_range(640, 480).smallest == 5


def test_a_face_holds_by_both_scores_or_by_its_own_where_there_is_no_other() -> None:
    found = np.array([0.9, 0.9, 0.6, 0.35], np.float32)
    judged = np.array([0.9, 0.1, 0.95, np.nan], np.float32)
    keypoints = keypoints_around([0, 100, 200, 300], judged)
    assert Finder(bright_spots).accepts(found, keypoints).tolist() == [True, False, True, True]


def test_a_lower_least_score_takes_weaker_pairs() -> None:
    found, judged = np.full(4, 0.6, np.float32), np.array([0.9, 0.6, 0.4, 0.1], np.float32)
    keypoints = keypoints_around([0, 100, 200, 300], judged)
    accepts = Finder(bright_spots, min_score=0.3).accepts(found, keypoints)
    assert accepts.tolist() == [True, True, False, False]


@pytest.mark.parametrize("shape", [(1, 1000), (2, 5000), (5, 5000), (7, 9999), (1000, 1), (1, 1)])
@pytest.mark.parametrize("search", ["fast", "default", "thorough"])
def test_thin_images_hold_no_face(shape: tuple[int, int], search: Search) -> None:
    assert len(Finder(bright_spots, search=search)(np.zeros((*shape, 3), np.uint8))) == 0


def test_a_view_in_tiles_shows_the_same_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((700, 900, 3), np.uint8)
    for x, y in [(8, 8), (248, 304), (256, 640), (512, 256), (880, 680)]:
        image[y : y + 8, x : x + 8] = 255
    whole = Finder(bright_spots, search="thorough")(image)
    monkeypatch.setattr("facedots.detection.finder._TILE", 256)
    tiled = Finder(bright_spots, search="thorough")(image)
    assert len(whole) >= 5
    assert whole.squares is not None
    assert tiled.squares is not None
    for squares in (whole.squares, tiled.squares):  # equal scores come in the tiles' order
        squares[:] = squares[np.lexsort(squares.T)]
    np.testing.assert_array_equal(tiled.scores, whole.scores)
    np.testing.assert_allclose(tiled.squares, whole.squares, rtol=1e-5)


def test_numbers_that_are_not_finite_are_the_networks_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = np.full((1, 4, 4), np.nan), np.zeros((1, 5, 4, 4))
    monkeypatch.setattr("facedots.detection.finder.run_session", lambda *_: answers)
    with pytest.raises(WeightsError, match="not finite"):
        open_finder()(np.zeros((32, 32, 3), np.uint8))


def test_a_weak_view_has_a_say_but_is_no_face() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[104:112, 104:112], image[400:408, 400:408] = 110, 255  # scores of .43 and 1
    faces = Finder(bright_spots, min_face=10)(image)
    assert len(faces) > 0
    assert faces.scores.min() >= 0.5
    assert Finder(bright_spots, 0.4, min_face=10)(image).scores.min() < 0.5


def test_faces_with_the_same_keypoints_are_one_the_best() -> None:
    found = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    keypoints = keypoints_around([0, 2, 100, 102], np.array([0.7, 0.9, 0.1, 0.9], np.float32))
    assert Finder(bright_spots).accepts(found, keypoints).tolist() == [False, True, False, True]


def keypoints_around(left: list[int], scores: Floats) -> Keypoints:
    """Of faces 20 pixels wide from these columns on."""
    corners = np.array([[0, 0], [20, 20]]) + np.stack([left, np.zeros(4)], 1)[:, None]
    points = corners[:, np.arange(68) % 2].astype(np.float32)
    nothing = np.full((len(left), 68, 2, 2), np.nan, np.float32)
    return Keypoints(points, nothing, nothing[..., 0, 0], scores, IBUG68)


def test_a_face_is_as_the_views_agree_that_it_is_tilted() -> None:
    sides = iter(Finder(bright_spots, min_face=48).views(200, 200))

    def one_unsure(view: Image) -> tuple[Floats, Floats]:
        """A face in the middle of two views: turned by 90 degrees, and surely so in the second."""
        side, cells = next(sides), view.shape[0] // 8
        middle = (side / 2 - 4) / 8
        cell = round(middle)
        scores, squares = np.zeros((cells, cells), np.float32), np.zeros((5, cells, cells))
        scores[cell, cell] = 0.9 if side == 200 else 0.8 if side == 100 else 0
        squares[:2, cell, cell] = middle - cell
        squares[2, cell, cell] = np.log(60 * side / 200 / UNIT)
        squares[3:, cell, cell] = (-0.02, 0) if side == 200 else (0, 0.9)
        return scores, squares.astype(np.float32)

    found = Finder(one_unsure, min_face=48)(np.zeros((200, 200, 3), np.uint8)).squares
    assert found is not None
    assert found[0, 3] == pytest.approx(90, abs=10)


@pytest.mark.parametrize("quarters", range(4))
def test_the_finder_of_facedots_finds_the_portrait_at_any_angle(
    hopper: Image, quarters: int
) -> None:
    expected = Finder()(hopper).squares
    turned = Finder()(np.ascontiguousarray(np.rot90(hopper, -quarters)))
    assert expected is not None
    assert turned.squares is not None
    np.testing.assert_allclose(turned.squares[0, 2], expected[0, 2], rtol=0.2)
    off = (turned.squares[0, 3] - expected[0, 3] - 90 * quarters + 180) % 360 - 180
    assert abs(off) < 20


def test_the_finder_of_facedots_has_the_pinned_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "finder.onnx").write_bytes(b"changed")
    damaged = WeightFile(tmp_path / "finder.onnx", "0" * 64)
    monkeypatch.setattr("facedots.detection.finder.WEIGHTS", {"finder": damaged})
    with pytest.raises(WeightsError, match="damaged"):
        Finder()


def test_a_copy_without_a_finder_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facedots.detection.finder.WEIGHTS", {})
    with pytest.raises(WeightsError, match="install facedots again"):
        Finder()


def test_files_that_are_no_finder(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        Finder(tmp_path / "missing.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    with pytest.raises(WeightsError, match="cannot open it"):
        open_finder(tmp_path / "broken.onnx")
    weights = Path(__file__).parents[2] / "src/facedots/assets/weights/tiny.onnx"
    with pytest.raises(WeightsError, match="not a finder"):
        Finder(weights)


def test_a_file_with_a_finders_ports_that_is_none(tmp_path: Path) -> None:
    def value(name: str, kind: int) -> onnx.ValueInfoProto:
        return onnx.helper.make_tensor_value_info(name, kind, None)

    for kind, fault in (
        (onnx.TensorProto.FLOAT, "cannot run it: [^\n]*$"),
        (onnx.TensorProto.UINT8, "the finder's scores"),
    ):
        nodes = [onnx.helper.make_node("Cast", ["images"], [name], to=1) for name in PORTS[1:]]
        outputs = [value(name, onnx.TensorProto.FLOAT) for name in PORTS[1:]]
        graph = onnx.helper.make_graph(nodes, "none", [value(PORTS[0], kind)], outputs)
        opset = [onnx.helper.make_opsetid("", 17)]
        onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "a")
        with pytest.raises(FacedotsError, match=fault):
            Finder(tmp_path / "a")(np.zeros((40, 50, 3), np.uint8))
