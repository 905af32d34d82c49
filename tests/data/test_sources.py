"""The public data sets: counts, names, groups and what is odd about their labels."""

from pathlib import Path

import numpy as np
import pytest

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.known_sets import YTF_ORIGIN, person_id, video_id
from facedots.annotations.load import load_annotations
from facedots.data.splits import load_source
from facedots.errors import DataError
from facedots.io.images import read_image
from facedots.schema import IBUG68


@pytest.fixture(scope="module")
def youtube(data_dir: Path) -> tuple[list[FaceAnnotation], list[FaceAnnotation]]:
    train, test = load_source(data_dir, "youtube-faces").subsets.values()
    return train, test


@pytest.fixture(scope="module")
def three_hundred(data_dir: Path) -> list[FaceAnnotation]:
    return load_source(data_dir, "300w").faces


def test_youtube_faces_as_published(
    youtube: tuple[list[FaceAnnotation], list[FaceAnnotation]],
) -> None:
    train, test = youtube
    assert (len(train), len(test)) == (3462, 770)
    assert len({face.name for face in train + test}) == 4232
    assert {face.name.split("/")[0] for face in train} == {"training"}
    assert {face.name.split("/")[0] for face in test} == {"test"}
    assert all(
        face.points.shape == (IBUG68.count, 2) and face.label_bias_x == 0 for face in train + test
    )


def test_youtube_faces_labels_are_moved_to_where_the_features_are(
    youtube: tuple[list[FaceAnnotation], list[FaceAnnotation]],
) -> None:
    first = youtube[0][0]
    assert (first.name, first.group) == ("training/Luis_Fonsi_21.jpg", "youtube-faces/Luis_Fonsi")
    np.testing.assert_allclose(first.points[0], np.array([45.0, 98.0]) - YTF_ORIGIN, atol=1e-5)


def test_the_published_split_shares_every_person_and_video_of_its_test_part(
    youtube: tuple[list[FaceAnnotation], list[FaceAnnotation]],
) -> None:
    train, test = youtube
    assert len({face.group for face in test}) == 347
    assert {face.group for face in test} <= {face.group for face in train}
    assert len({video_id(face.name) for face in test}) == 770
    assert {video_id(face.name) for face in test} <= {video_id(face.name) for face in train}


def test_300w_is_read_whole_with_several_faces_a_photo(three_hundred: list[FaceAnnotation]) -> None:
    faces = three_hundred
    assert len(faces) == len({face.name for face in faces}) == 2014
    parts = {
        part: [face for face in faces if face.group.startswith(f"300w/{part}/")]
        for part in ("afw", "helen", "lfpw")
    }
    assert {
        part: (len(found), len({face.group for face in found})) for part, found in parts.items()
    } == {
        "afw": (337, 185),
        "helen": (872, len({face.name.rpartition("_")[0] for face in parts["helen"]})),
        "lfpw": (805, 805),
    }


def test_300w_points_lie_on_the_face_and_know_their_shift(
    three_hundred: list[FaceAnnotation],
) -> None:
    for face in three_hundred[::200]:
        height, width = read_image(face.image, orient=False).shape[:2]
        assert (face.points > -1).all()
        assert (face.points < (width, height)).all()
        eyes = face.points[45] - face.points[36]
        assert face.label_bias_x == pytest.approx(0.0075 * np.hypot(*eyes), rel=1e-5)


def test_the_folder_itself_or_its_parent_will_do(
    data_dir: Path, three_hundred: list[FaceAnnotation]
) -> None:
    assert [face.name for face in load_source(data_dir / "300w", "300w").faces] == [
        face.name for face in three_hundred
    ]


def test_only_300w_training_parts_are_read(tmp_path: Path) -> None:
    for part in ("afw", "helen/trainset", "lfpw/trainset", "ibug", "helen/testset"):
        folder = tmp_path / part
        folder.mkdir(parents=True)
        (folder / "image_1.jpg").touch()
        points = "\n".join("5 6" for _ in range(IBUG68.count))
        (folder / "image_1.pts").write_text(
            f"version: 1\nn_points: {IBUG68.count}\n{{\n{points}\n}}\n"
        )
    names = [face.name for face in load_source(tmp_path, "300w").faces]
    assert names == ["afw/image_1.jpg", "helen/trainset/image_1.jpg", "lfpw/trainset/image_1.jpg"]


def test_the_door_gives_the_faces_that_training_takes(data_dir: Path) -> None:
    for name in ("youtube-faces", "300w"):
        shown, trained = load_annotations(data_dir / name), load_source(data_dir, name)
        assert shown.subsets.keys() == trained.subsets.keys()
        for a, b in zip(shown.faces, trained.faces, strict=True):
            assert (a.name, a.group, a.image) == (b.name, b.group, b.image)
            assert (a.label_bias_x, a.label_style) == (b.label_bias_x, b.label_style)
            np.testing.assert_array_equal(a.points, b.points)


@pytest.mark.parametrize("name", ["youtube-faces", "300w"])
def test_missing_data_names_the_place_and_the_command(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"facedots data download") as caught:
        load_source(tmp_path, name)
    assert str(tmp_path) in str(caught.value)


def test_person_and_video_of_a_frame() -> None:
    assert person_id("test/Fidel_Castro_Daiz-Balart_41.jpg") == "Fidel_Castro_Daiz-Balart"
    assert video_id("test/Fidel_Castro_Daiz-Balart_41.jpg") == "Fidel_Castro_Daiz-Balart_4"
    with pytest.raises(ValueError, match="two digits"):
        video_id("afw/123_x.jpg")
