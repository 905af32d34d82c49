"""Packs hold a data set without loss, are read by place, and tell damage apart."""

import json
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.load import AnnotationSet, ReadOptions, load_annotations
from facedots.annotations.packing import pack, unpack
from facedots.annotations.packs import INDEX_FILE, PACK_FILE
from facedots.annotations.visibility import seen_points
from facedots.data.crops import CropDataset
from facedots.data.splits import detect_sources, load_split
from facedots.data.synthetic import cached_synthetic
from facedots.errors import AnnotationError, DataError, ImageError, OutputError
from facedots.io.images import read_image
from facedots.io.tar_files import TarMember, read_shard
from facedots.models.registry import build_model
from facedots.schema import IBUG68, KeypointSchema
from facedots.training.run_folder import fingerprint

SCHEMA = KeypointSchema("two", ("left", "right"), {"all": (0, 1)}, (1, 0), (), (0, 1))
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
COORDINATES = st.floats(-1e6, 1e6, width=32) | st.just(np.float32("nan"))


def image_files(folder: Path, count: int = 3) -> list[Path]:
    """Small PNG files in two folders."""
    files = [folder / f"images/{'ab'[i % 2]}/{i}.x.png" for i in range(count)]
    for i, file in enumerate(files):
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((4 + i, 5, 3), 50 * i, np.uint8)
        file.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return files


def content(data: AnnotationSet) -> tuple[Any, ...]:
    """All that a data set holds, in an order, to compare."""
    return data.schema, [
        (
            subset,
            face.image.read_bytes(),
            face.points.tobytes(),
            face.points.dtype,
            *(face.name, face.group, face.label_bias_x, face.label_style),
            None if face.pupils is None else face.pupils.tobytes(),
        )
        for subset, faces in data.subsets.items()
        for face in faces
    ]


@st.composite
def data_sets(draw: st.DrawFn, files: list[Path]) -> AnnotationSet:
    """Faces of any kind, of which several share images, in two subsets."""
    subsets: dict[str, list[FaceAnnotation]] = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=6, unique=True)):
        face = FaceAnnotation(
            draw(st.sampled_from(files)),
            draw(arrays(np.float32, (2, 2), elements=COORDINATES)),
            name,
            draw(NAMES),
            draw(st.floats(allow_nan=False, allow_infinity=False)),
            draw(NAMES),
            draw(st.none() | arrays(np.float32, (2, 2), elements=COORDINATES)),
        )
        subsets.setdefault(draw(st.sampled_from(["train", "ütest"])), []).append(face)
    return AnnotationSet(subsets, SCHEMA)


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pack_and_unpack_lose_nothing(tmp_path_factory: Any, draws: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("packs")
    data = draws.draw(data_sets(image_files(folder)))
    files = list(pack(data, folder / "pack", shard_bytes=draws.draw(st.integers(1, 4000))))
    assert len(files) == len({face.image for face in data.faces})
    assert content(load_annotations(folder / "pack")) == content(data)
    assert list(unpack(folder / "pack", folder / "files")) == files
    assert content(load_annotations(folder / "files")) == content(data)
    for name in ("files", "pack"):
        assert list(pack(load_annotations(folder / name), folder / f"{name}-again")) == files
        assert content(load_annotations(folder / f"{name}-again")) == content(data)


@pytest.fixture
def data(tmp_path: Path) -> AnnotationSet:
    """Three images, the second with two faces."""
    files = image_files(tmp_path)
    points = np.arange(4, dtype=np.float32).reshape(2, 2)
    names = ["0.png", "1.png#1", "2.png", "1.png#2"]
    faces = [FaceAnnotation(files[int(name[0])], points + i, name) for i, name in enumerate(names)]
    return AnnotationSet({"train": faces[:2], "test": faces[2:]}, SCHEMA)


def test_images_beside_the_labels_folder_keep_their_place(
    data: AnnotationSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = data.faces
    assert isinstance(first.image, Path)
    name = Path("labels/..") / first.image.relative_to(tmp_path)
    faces = [replace(first, image=tmp_path / name), replace(first, image=name, name="x"), *others]
    monkeypatch.chdir(tmp_path)
    files = list(pack(AnnotationSet({"all": faces}, SCHEMA), tmp_path / "pack"))
    assert files == ["a/0.x.png", "b/1.x.png", "a/2.x.png"]
    assert len(load_annotations(tmp_path / "pack").faces) == 5


def test_equal_data_give_equal_bytes(data: AnnotationSet, tmp_path: Path) -> None:
    for name in ("one", "two"):
        list(pack(data, tmp_path / name, shard_bytes=3000))
    names = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert names == [INDEX_FILE, PACK_FILE, "shard-000000.tar", "shard-000001.tar"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_other_tools_read_the_shards(data: AnnotationSet, tmp_path: Path) -> None:
    list(pack(data, tmp_path / "pack"))
    with (tmp_path / "pack/shard-000000.tar").open("rb") as file:
        files = dict(read_shard(file, "shard"))
    keys = ["000000000", "000000001", "000000002"]
    assert list(dict.fromkeys(name.partition(".")[0] for name in files)) == keys
    assert files["000000001.png"] == data.faces[1].image.read_bytes()
    labels = json.loads(files["000000001.json"])
    assert labels["file"] == "b/1.x.png"
    assert [face["name"] for face in labels["faces"]] == ["1.png#1", "1.png#2"]


def flip(data: bytes) -> bytes:
    return data[:530] + bytes([data[530] ^ 1]) + data[531:]


@pytest.mark.parametrize("damage", [flip, lambda data: data[:530], lambda data: data[512:]])
def test_a_damaged_shard_is_named_with_the_image(
    damage: Callable[[bytes], bytes], data: AnnotationSet, tmp_path: Path
) -> None:
    list(pack(data, tmp_path / "pack"))
    shard = tmp_path / "pack/shard-000000.tar"
    shard.write_bytes(damage(shard.read_bytes()))
    first = load_annotations(tmp_path / "pack").faces[0]
    with pytest.raises(ImageError) as caught:
        read_image(first.image)
    assert f"{shard}/000000000.png (a/0.x.png): not the bytes of its index" in str(caught.value)
    assert "copy it again" in str(caught.value)
    shard.unlink()
    with pytest.raises(
        ImageError, match=r"000000000\.png \(a/0\.x\.png\): cannot be read: No such file"
    ):
        read_image(first.image)


def test_a_pack_that_was_killed_is_none(data: AnnotationSet, tmp_path: Path) -> None:
    files = pack(data, tmp_path / "pack")
    assert isinstance(files, Generator)
    assert next(files) == "a/0.x.png"
    files.close()
    assert not list((tmp_path / "pack").iterdir())
    with pytest.raises(DataError, match="no annotations here"):
        load_annotations(tmp_path / "pack")


def test_what_fails_leaves_nothing_and_can_be_tried_again(
    data: AnnotationSet, tmp_path: Path
) -> None:
    out, image = tmp_path / "pack", data.faces[-2].image
    assert isinstance(image, Path)
    content = image.read_bytes()
    image.unlink()
    with pytest.raises(ImageError, match=r"2\.x\.png"):
        list(pack(data, out, shard_bytes=1))
    assert not list(out.iterdir())
    image.write_bytes(content)
    list(pack(data, out, shard_bytes=1))
    shard = (out / "shard-000002.tar").rename(tmp_path / "shard")
    with pytest.raises(ImageError, match="cannot be read"):
        list(unpack(out, tmp_path / "files"))
    assert not list((tmp_path / "files").iterdir())
    shard.rename(out / "shard-000002.tar")
    assert len(list(unpack(out, tmp_path / "files"))) == 3


def test_packs_are_written_into_new_local_folders(data: AnnotationSet, tmp_path: Path) -> None:
    list(pack(data, tmp_path / "pack"))
    taken = tmp_path / "images"
    for write in (pack(data, taken), unpack(tmp_path / "pack", taken)):
        with pytest.raises(OutputError, match="images: holds files already"):
            next(write)
    assert [file.name for file in taken.iterdir() if file.is_file()] == []
    for out in ("s3://faces/pack", Path("s3://faces/pack")):
        with pytest.raises(OutputError, match="a local path is needed here, not an address"):
            next(pack(data, out))
    with pytest.raises(DataError, match=r"images: no pack, as pack\.json is missing"):
        next(unpack(taken, tmp_path / "new"))


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the first record of an index, and its hash with it."""
    import hashlib

    lines = (folder / INDEX_FILE).read_text().splitlines()
    record = json.loads(lines[0])
    change(record)
    index = "\n".join([json.dumps(record), *lines[1:], ""])
    (folder / INDEX_FILE).write_text(index)
    head = json.loads((folder / PACK_FILE).read_text())
    head["index_sha256"] = hashlib.sha256(index.encode()).hexdigest()
    (folder / PACK_FILE).write_text(json.dumps(head))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: record.pop("faces"), "line 1: KeyError: 'faces'"),
        (lambda record: record.update(file="../../x.png"), "outside the data set"),
        (lambda record: record.update(file="/x.png"), "outside the data set"),
        (lambda record: record.update(file="b/1.x.png"), "line 2: ValueError: .* is there twice"),
        (lambda record: record["faces"][0].update(points=[1, 2]), "line 1: ValueError"),
    ],
)
def test_faults_of_an_index_are_named(
    change: Callable[[dict[str, Any]], object], message: str, data: AnnotationSet, tmp_path: Path
) -> None:
    list(pack(data, tmp_path / "pack"))
    rewrite(tmp_path / "pack", change)
    with pytest.raises(AnnotationError, match=message):
        load_annotations(tmp_path / "pack")


def test_an_index_of_another_pack_is_refused(data: AnnotationSet, tmp_path: Path) -> None:
    list(pack(data, tmp_path / "pack"))
    index = tmp_path / "pack" / INDEX_FILE
    index.write_bytes(index.read_bytes() + b"\n")
    with pytest.raises(AnnotationError, match=r"not the index of its pack\.json"):
        load_annotations(tmp_path / "pack")


def test_a_pack_fits_the_wanted_points_and_options_or_is_refused(
    data: AnnotationSet, tmp_path: Path
) -> None:
    list(pack(data, tmp_path / "pack"))
    with pytest.raises(DataError, match=r"2 points \(two\), not the 68 that are needed"):
        load_annotations(tmp_path / "pack", ReadOptions(schema=IBUG68))
    with pytest.raises(DataError, match="a pack needs no --format, --images or --origin"):
        load_annotations(tmp_path / "pack", ReadOptions(origin=(1, 1)))


@pytest.mark.parametrize("place", ["folder", "memory"])
def test_a_training_gets_the_same_crops_from_a_pack(place: str, tmp_path: Path) -> None:
    faces = cached_synthetic(10)
    list(pack(AnnotationSet({"all": faces}, IBUG68), tmp_path / "pack", shard_bytes=100_000))
    source = str(tmp_path / "pack")
    if place == "memory":
        fsspec = pytest.importorskip("fsspec")
        source = "memory://faces/pack"
        fsspec.filesystem("memory").put(str(tmp_path / "pack"), "/faces/pack", recursive=True)
    packed = load_annotations(source).faces
    assert all(isinstance(face.image, TarMember) for face in packed)
    assert fingerprint(packed) == fingerprint(faces)
    spec = build_model("tiny").spec
    ours, theirs = (CropDataset(each, spec, strength=1.0, seed=7) for each in (packed, faces))
    for index in range(len(faces)):
        for name, value in ours[2, index].items():
            assert value.numpy().tobytes() == theirs[2, index][name].numpy().tobytes(), name


def test_known_sets_keep_their_splits(tmp_path: Path) -> None:
    faces = [
        FaceAnnotation(
            face.image, face.points, f"{part}/{i}", f"youtube-faces/P{i % 5}", 0.0, "youtube-faces"
        )
        for i, face in enumerate(cached_synthetic(10))
        for part in ("training" if i % 3 else "test",)
    ]
    subsets = {
        f"youtube-faces/{part}": [face for face in faces if face.name.startswith(part)]
        for part in ("training", "test")
    }
    list(pack(AnnotationSet(subsets, IBUG68), tmp_path / "pack"))
    assert detect_sources(tmp_path / "pack") == ("youtube-faces",)
    split = load_split(tmp_path / "pack", ["youtube-faces"], "official", 0.2)
    assert [face.name for face in split.test] == ["test/0", "test/3", "test/6", "test/9"]
    assert len(split.train) + len(split.validation) == 6
    with pytest.raises(DataError, match="no 300w data in this pack"):
        load_split(tmp_path / "pack", ["300w"], "official")


def test_packed_crops_show_the_faces(tmp_path: Path) -> None:
    faces = [replace(face, pupils=face.points[[36, 45]]) for face in cached_synthetic(3)]
    list(pack(AnnotationSet({"all": faces}, IBUG68), tmp_path / "pack", crop_size=160))
    for face, packed in zip(faces, load_annotations(tmp_path / "pack").faces, strict=True):
        image = read_image(packed.image)
        assert image.shape[0] == image.shape[1] <= 160
        scale = np.ptp(packed.points, axis=0).max() / image.shape[0]
        assert scale == pytest.approx(0.5, abs=0.01)
        assert packed.pupils is not None
        assert packed.pupils.tolist() == packed.points[[36, 45]].tolist()
        x, y = np.round(packed.points[30]).astype(int)
        column, row = np.round(face.points[30]).astype(int)
        whole = read_image(face.image)
        assert np.abs(image[y, x].astype(int) - whole[row, column]).max() < 40


def test_points_outside_the_image_stay_hidden_in_a_packed_crop(tmp_path: Path) -> None:
    face = cached_synthetic(1)[0]
    points = face.points.copy()
    points[8] = (points[8, 0], read_image(face.image).shape[0] + 3)
    data = AnnotationSet({"all": [replace(face, points=points)]}, IBUG68)
    list(pack(data, tmp_path / "pack", crop_size=160))
    packed = load_annotations(tmp_path / "pack").faces[0]
    height, width = read_image(packed.image).shape[:2]
    assert np.flatnonzero(seen_points(packed, height, width) == 0).tolist() == [8]
    assert packed.points[8, 1] < height


def test_faces_without_points_keep_box_and_visibility(tmp_path: Path) -> None:
    points, seen = np.full((68, 2), np.nan, np.float32), np.zeros(68, np.float32)
    seen[:9] = np.nan
    box = np.array([1.5, 2, 30, 40], np.float32)
    face = replace(cached_synthetic(1)[0], points=points, box=box, visible=seen, is_face=False)
    list(pack(AnnotationSet({"train": [face]}, IBUG68), tmp_path))
    packed = load_annotations(tmp_path).subsets["train"][0]
    assert packed.box is not None
    assert packed.visible is not None
    assert packed.box.tolist() == box.tolist()
    np.testing.assert_array_equal(packed.visible, seen)
    assert not packed.is_face
