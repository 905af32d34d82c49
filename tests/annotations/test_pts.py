""".pts files: what they read as, and that all faults are named at once."""

from pathlib import Path

import pytest

from facedots.annotations.pts import PtsFolder
from facedots.errors import AnnotationError
from facedots.schema import KeypointSchema

PAIR = KeypointSchema("pair", ("right", "left"), {"eyes": (0, 1)}, (1, 0), (), (0, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a.jpg, b.jpg and c.jpg, none of which can be decoded: readers must not open
    them.
    """
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(b"no image")
    return tmp_path


def _write_pts(path: Path, *lines: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["version: 1", "n_points: 2", "{", *lines, "}"]) + "\n")


def test_pts_is_one_based_and_grouped_by_photo(folder: Path) -> None:
    _write_pts(folder / "a.pts", "1 1", "3.5 2.25")
    for face in ("12_1", "12_2", "image_0012"):
        _write_pts(folder / "sub" / f"{face}.pts", "1 1", "1 1")
        (folder / "sub" / f"{face}.PNG").touch()
    faces = PtsFolder(folder).faces(schema=PAIR)
    assert [face.name for face in faces] == [
        "a.jpg",
        "sub/12_1.PNG",
        "sub/12_2.PNG",
        "sub/image_0012.PNG",
    ]
    assert [face.group for face in faces] == ["a", "sub/12", "sub/12", "sub/image_0012"]
    assert faces[0].points.tolist() == [[0, 0], [2.5, 1.25]]


def test_pts_names_all_faults_of_all_files_at_once(folder: Path) -> None:
    _write_pts(folder / "a.pts", "1 1")
    _write_pts(folder / "b.pts", "1 x", "1")
    (folder / "c.pts").write_text("x y\n2 2\n")
    _write_pts(folder / "d.pts", "1 1", "nan 2")
    with pytest.raises(AnnotationError) as caught:
        PtsFolder(folder).faces(schema=PAIR)
    assert caught.value.faults == [
        "a.pts: 2 points expected, found 1",
        "b.pts: line 4: 'x' in place 2 is not a finite number",
        "b.pts: line 5: two numbers expected, found 1",
        "c.pts: not a .pts file: a header, then the points between { and }, one per line",
        "d.pts: line 5: 'nan' in place 1 is not a finite number",
        "d.pts: no image of the same name beside it",
    ]


def test_pts_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"no \.pts file"):
        PtsFolder(tmp_path / "nowhere").faces(schema=PAIR)
