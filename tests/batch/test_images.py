"""Many images at once, from Python."""

from pathlib import Path

import numpy as np
import pytest
from tests.faces import face_of

from facedots.batch.images import align_images, list_images, predict_images, result_paths
from facedots.data.synthetic import draw_face
from facedots.errors import ImageError, OutputError
from facedots.geometry import Image
from facedots.io.images import read_image, write_image
from facedots.io.inputs import ImageSource
from facedots.types import Face

IMAGE, POINTS = draw_face(np.random.default_rng(11))
FACE = face_of(POINTS)


def pipeline(image: Image) -> list[Face]:
    return [FACE] if image.shape == IMAGE.shape else []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An image with the face, one without, and one that cannot be read."""
    write_image(tmp_path / "face.png", IMAGE)
    write_image(tmp_path / "gray.png", np.full((50, 60, 3), 128, np.uint8))
    (tmp_path / "text.png").write_text("not an image")
    return tmp_path


def test_each_image_gives_a_result_and_failures_are_collected(folder: Path) -> None:
    errors = list[str]()
    sources = [str(folder), str(folder / "gray.png"), str(folder / "nothing")]
    images = list_images(sources, on_error=errors.append)
    results = list(predict_images(images, pipeline, on_error=errors.append))
    assert [(result.source, len(result.faces)) for result in results] == [
        (str(folder / "face.png"), 1),
        (str(folder / "gray.png"), 0),
    ]
    assert (results[1].width, results[1].height) == (60, 50)
    assert [error.partition(":")[0] for error in errors] == [
        str(folder / "text.png"),
        str(folder / "nothing"),
    ]


def test_without_on_error_the_first_failure_is_raised(folder: Path) -> None:
    results = predict_images(list_images([str(folder)]), pipeline)
    assert len(next(results).faces) == 1
    assert len(next(results).faces) == 0
    with pytest.raises(ImageError, match=r"text\.png"):
        next(results)
    (folder / "empty").mkdir()
    with pytest.raises(ImageError, match="no images"):
        list_images([str(folder / "empty")])


def test_one_image_needs_no_list_and_names_are_images(folder: Path) -> None:
    face, gray = folder / "face.png", str(folder / "gray.png")
    for one in (face, str(face)):
        assert list_images(one) == list_images([one])
        assert [result.source for result in predict_images(one, pipeline)] == [str(face)]
    results = list(predict_images([face, gray, *list_images(gray)], pipeline))
    assert [result.source for result in results] == [str(face), gray, gray]
    (_,) = align_images(face, pipeline, str(folder / "out"))
    assert (folder / "out" / "face_aligned_0.png").is_file()
    assert result_paths(face, folder, "red") == {str(face): folder / "face_red.png"}
    errors = list[str]()
    assert list(predict_images(folder / "empty*", pipeline, on_error=errors.append)) == []
    assert "no image fits" in errors[0]


def test_drawings_go_to_their_targets(folder: Path) -> None:
    images = list_images([str(folder / "face.png")])
    targets = result_paths(images, folder / "out", "red")
    list(predict_images(images, pipeline, draw=lambda image, _: image * 0, targets=targets))
    assert not read_image(folder / "out" / "face_red.png").any()


def test_a_result_that_cannot_be_written_stops_everything(folder: Path) -> None:
    images, errors = list_images([str(folder / "face.png")]), list[str]()
    out = folder / "text.png" / "out"
    with pytest.raises(OutputError):
        list(align_images(images, pipeline, out, on_error=errors.append))
    assert errors == []


def test_drawn_files_never_meet_each_other_or_a_source(tmp_path: Path) -> None:
    images = [
        ImageSource(str(tmp_path / "x.jpg"), Path("x.jpg")),
        ImageSource(str(tmp_path / "x_dots.jpg"), Path("x_dots.jpg")),
        ImageSource("elsewhere/X.JPG", Path("X.JPG")),
        ImageSource("elsewhere/x.png", Path("x.png")),
        ImageSource("http://example.org/x", Path("x")),
        ImageSource("elsewhere/in/x.jpg", Path("in/x.jpg")),
    ]
    paths = [
        path.relative_to(tmp_path).as_posix()
        for path in result_paths(images, tmp_path, "dots").values()
    ]
    assert paths == [
        "x_dots_2.jpg",
        "x_dots_dots.jpg",
        "X_dots_3.jpg",
        "x_dots.png",
        "x_dots_2.png",
        "in/x_dots.jpg",
    ]
