"""Files of published data sets: what they read as, and that all faults are named at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facedots.annotations.load import ReadOptions, load_annotations
from facedots.annotations.published_files import PtsFolder
from facedots.errors import AnnotationError, DataError, MissingExtra, OutputError
from facedots.geometry import Floats
from facedots.io.files import atomic_write, guard_inputs, is_input
from facedots.io.images import read_image, write_image
from facedots.schema import AFLW19, AFLW21, COFW29, IBUG68, IBUG68_IN_WFLW98, WFLW98, KeypointSchema

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


def test_the_files_of_a_folder_of_points_are_inputs(folder: Path) -> None:
    _write_pts(folder / "a.pts", "1 1", "3.5 2.25")
    with guard_inputs():
        PtsFolder(folder).faces(schema=PAIR)
        assert is_input(folder / "a.pts")
        with pytest.raises(OutputError, match="is an input"):
            atomic_write(folder / "a.pts", "results")
    assert "3.5 2.25" in (folder / "a.pts").read_text()


def test_what_macos_leaves_beside_points_is_no_fault(folder: Path) -> None:
    _write_pts(folder / "a.pts", "1 1", "3.5 2.25")
    (folder / "._a.pts").write_bytes(b"\0\5\x16\7")
    (folder / "._a.jpg").write_bytes(b"\0\5\x16\7")
    assert [face.name for face in PtsFolder(folder).faces(schema=PAIR)] == ["a.jpg"]


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
        "a.pts: n_points is 2, but lines between the braces: 1",
        "b.pts: line 4: 'x' in place 2 is not a finite number",
        "b.pts: line 5: two numbers expected, found 1",
        "c.pts: not a .pts file: a header, then the points between { and }, one per line",
        "d.pts: line 5: 'nan' in place 1 is not a finite number",
        "d.pts: no image of the same name beside it",
    ]


def test_pts_and_image_may_differ_in_case_but_no_image_is_taken_twice(folder: Path) -> None:
    _write_pts(folder / "A.PTS", "1 1", "3.5 2.25")
    (face,) = PtsFolder(folder).faces(schema=PAIR)
    assert face.image == folder / "a.jpg"
    _write_pts(folder / "a.pts", "1 1", "3.5 2.25")
    with pytest.raises(AnnotationError, match=r"A\.PTS: no image of the same name"):
        PtsFolder(folder).faces(schema=PAIR)


def test_pts_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"no \.pts file"):
        PtsFolder(tmp_path / "nowhere").faces(schema=PAIR)


def random_points(faces: int, count: int) -> Floats:
    generator = np.random.default_rng(0)
    return generator.uniform(5, 95, (faces, count, 2)).round(2).astype(np.float32)


def write_list(file: Path, images: list[str], rows: list[list[Any]], last: bool = True) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        [*row, image] if last else [image, *row] for row, image in zip(rows, images, strict=True)
    ]
    file.write_text("\n".join(" ".join(map(str, line)) for line in lines) + "\n")
    return file


def wflw(root: Path) -> Floats:
    """WFLW as it is published: two lists and the images of three faces, two of them in one."""
    points = random_points(3, WFLW98.count)
    names = ["0--Parade/a_1.jpg", "0--Parade/a_1.jpg", "1--Hand shaking/b_2.jpg"]
    for name in names:
        write_image(root / "WFLW_images" / name, np.zeros((100, 100, 3), np.uint8))
    rows = [[*face.ravel(), 1, 2, 90, 90, 0, 0, 1, 0, 0, 1] for face in points]
    lists = root / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    write_list(lists / "list_98pt_rect_attr_train.txt", names[:2], rows[:2])
    write_list(lists / "list_98pt_rect_attr_test.txt", names[2:], rows[2:])
    (lists / "README").write_text(
        "coordinates of 98 landmarks + coordinates of rect + attributes\n"
    )
    return points


def test_wflw_whole_and_one_list_of_it(tmp_path: Path) -> None:
    points = wflw(tmp_path)
    data = load_annotations(tmp_path)
    assert data.schema == WFLW98
    assert list(data.subsets) == ["train", "test"]
    np.testing.assert_allclose([face.points for face in data.faces], points, atol=1e-5)
    names = [face.name for face in data.subsets["train"]]
    assert names == ["train/0--Parade/a_1.jpg#1", "train/0--Parade/a_1.jpg#2"]
    (file,) = tmp_path.rglob("*_test.txt")
    (face,) = load_annotations(file).faces
    assert face.image.name == "b_2.jpg"
    assert face.group == "1--Hand shaking/b_2.jpg"


def test_wflw_as_the_68_points_of_ibug(tmp_path: Path) -> None:
    points = wflw(tmp_path)
    faces = load_annotations(tmp_path, ReadOptions(schema=IBUG68)).faces
    chosen = points[:, list(IBUG68_IN_WFLW98)]
    np.testing.assert_allclose([face.points for face in faces], chosen, atol=1e-5)
    flipped = [IBUG68_IN_WFLW98[i] for i in IBUG68.flip]
    assert [WFLW98.flip[i] for i in IBUG68_IN_WFLW98] == flipped
    assert [IBUG68_IN_WFLW98[i] for i in IBUG68.norm_pair] == list(WFLW98.norm_pair)


@pytest.mark.parametrize(
    ("schema", "pairs"),
    [
        (WFLW98, [(0, 32), (33, 46), (38, 50), (55, 59), (60, 72), (65, 75), (76, 82), (83, 87)]),
        (WFLW98, [(86, 84), (88, 92), (93, 95), (96, 97), (16, 16), (57, 57), (79, 79), (94, 94)]),
        (COFW29, [(0, 1), (2, 3), (4, 6), (5, 7), (8, 9), (10, 11), (12, 14), (13, 15), (16, 17)]),
        (COFW29, [(18, 19), (20, 20), (21, 21), (22, 23), (24, 24), (27, 27), (28, 28)]),
        (
            AFLW19,
            [(0, 5), (1, 4), (2, 3), (6, 11), (7, 10), (12, 14), (13, 13), (15, 17), (18, 18)],
        ),
        (AFLW21, [(0, 5), (6, 11), (12, 16), (13, 15), (14, 14), (17, 19), (20, 20)]),
    ],
)
def test_what_the_mirror_image_of_public_schemas_swaps(
    schema: KeypointSchema, pairs: list[tuple[int, int]]
) -> None:
    assert [schema.flip[a] for a, _ in pairs] == [b for _, b in pairs]


@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize("schema", [AFLW19, AFLW21])
def test_aflw_lists(tmp_path: Path, schema: KeypointSchema, step: int) -> None:
    points = random_points(2, schema.count)
    points[1, 3] = 0 if step == 3 else -1
    visible = np.ones((*points.shape[:2], 1), int)
    visible[1, 3] = 0
    values = np.concatenate([points, visible], axis=2)[..., :step].reshape(2, -1)
    images = ["0/image00002.jpg", "2/image 3.jpg"]
    for image in images:
        write_image(tmp_path / "aflw" / "images" / image, np.zeros((100, 100, 3), np.uint8))
    file = write_list(tmp_path / "aflw" / "train.list", images, values.tolist(), last=False)
    data = load_annotations(file)
    assert data.schema == schema
    points[1, 3] = np.nan
    np.testing.assert_allclose([face.points for face in data.faces], points, atol=1e-5)
    assert list(load_annotations(tmp_path / "aflw").subsets) == ["train"]


def test_a_list_of_unknown_points_needs_a_schema(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg", np.zeros((100, 100, 3), np.uint8))
    file = write_list(tmp_path / "x.txt", ["a.jpg"], [list(range(10, 48))])
    with pytest.raises(DataError, match=r"38 numbers a line do not tell.*schema\.yaml"):
        load_annotations(file)
    names = ", ".join(f"p{i}" for i in range(19))
    schema = f"{{name: x, points: [{names}], norm_pair: [p0, p1]}}"
    (tmp_path / "schema.yaml").write_text(schema)
    assert load_annotations(file).faces[0].points[1].tolist() == [12, 13]


def test_a_list_names_all_its_faults_at_once(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg", np.zeros((100, 100, 3), np.uint8))
    row = list(range(10, 14))
    file = tmp_path / "x.txt"
    file.write_text("a.jpg 10 11 12 13\na.jpg 1 2 3\nb.jpg 1 2 x 4\n\n 10 11 12 13\n")
    with pytest.raises(AnnotationError) as caught:
        load_annotations(file, ReadOptions("list", schema=PAIR))
    assert caught.value.faults == [
        "line 2: an image and 4 numbers expected, found 3",
        "line 3: 'x' in place 3 is not a finite number",
        f"line 3: no image {tmp_path / 'b.jpg'}; put it back, or take it out of the export",
        "line 5: an image and 4 numbers expected, found 4",
    ]
    write_list(file, ["a.jpg"], [row * 2])
    with pytest.raises(
        AnnotationError, match=r"4 numbers expected \(x and y of 2 points\), found 8"
    ):
        load_annotations(file, ReadOptions(schema=PAIR))


def write_cofw(file: Path, labels: Any, images: list[Any]) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(file, "w") as content:
        references = [
            content.create_dataset(f"#refs#/{i}", data=x).ref for i, x in enumerate(images)
        ]
        content["phisT"] = np.transpose(labels)
        content["IsT"] = np.array(references, h5py.ref_dtype)[None]


def test_cofw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    points, occluded = random_points(2, 29), np.zeros((2, 29))
    occluded[0, :9] = 1
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    labels = np.concatenate([points[..., 0], points[..., 1], occluded], axis=1)
    write_cofw(tmp_path / "COFW_test_color.mat", labels, [image.T, image[..., 0].T])
    data = load_annotations(tmp_path)
    assert data.schema == COFW29
    assert "16% of the points are marked as occluded" in caplog.text
    np.testing.assert_allclose([face.points for face in data.faces], points - 1, atol=1e-5)
    np.testing.assert_array_equal([face.visible for face in data.faces], 1 - occluded)
    np.testing.assert_array_equal(read_image(data.faces[0].image), image)
    np.testing.assert_array_equal(read_image(data.faces[1].image)[..., 0], image[..., 0])
    assert [face.name for face in data.faces] == [f"COFW_test_color-0000{i}" for i in (0, 1)]


def test_what_is_not_cofw_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "a.mat"
    image = np.zeros((3, 30, 40), np.uint8)
    for labels, images in (
        (np.zeros((2, 87)), [image]),
        (np.full((1, 87), np.nan), [image]),
        (np.zeros((1, 87)), [image.astype(float)]),
        (np.zeros((1, 87)), [image[:2]]),
    ):
        write_cofw(file, labels, images)
        with pytest.raises(AnnotationError, match="not COFW's color images and labels"):
            load_annotations(file)
    for content in (b"", b"MATLAB 7.3", file.read_bytes()[:500]):
        file.write_bytes(content)
        with pytest.raises(AnnotationError, match="not COFW's color images and labels"):
            load_annotations(file)


def test_cofw_without_h5py_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (tmp_path / "a.mat").touch()
    with pytest.raises(MissingExtra, match=r"pip install 'facedots\[cofw\]'"):
        load_annotations(tmp_path / "a.mat")
