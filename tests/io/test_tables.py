"""The same table in three formats, valid whatever ends its writing."""

import json
import sys
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from tests.faces import isotropic_covariance

from facedots.errors import MissingExtra, OutputError
from facedots.head import EyeGaze, Gaze, HeadPose
from facedots.io import parquet
from facedots.io.results import JSON_SCHEMA, FaceColumns
from facedots.io.video_tables import CsvTable, FaceTable, JsonLinesTable, ParquetTable
from facedots.schema import IBUG68
from facedots.types import Face

KINDS: list[tuple[type[FaceTable], str]] = [
    (CsvTable, "a.csv"),
    (JsonLinesTable, "a.jsonl"),
    (ParquetTable, "a.parquet"),
]
COLUMNS = FaceColumns(
    IBUG68,
    timestamp=True,
    pose=True,
    pupils=True,
    signals=["smile"],
    emotions=["happy"],
    extra={"emotion_guess": lambda face: face.emotions and "happy"},
)
POINTS = np.stack([np.arange(68) / 3, 100 - np.arange(68)], axis=1).astype(np.float32)
BOX = np.array([0, 33, 22.3333, 100], np.float32)
UNKNOWN = np.full(68, np.nan, np.float32)
POSE = HeadPose(10.5, -3.25, 0.0, np.array([0.1, 0.2, 9.0], np.float32), 0.02)
SIGMA, SURE = isotropic_covariance(np.full(68, 0.456)), np.full(68, 0.789, np.float32)
KNOWN = Face(
    *(POINTS, SIGMA, SURE, BOX, 0.98765, IBUG68),
    track_id=3,
    pose=POSE,
    signals={"smile": 0.25},
    emotions={"happy": 0.75},
    gaze=Gaze(12.346, -5.0, 2.0, right_eye=EyeGaze(12.346, -5.0, 2.0), left_eye=None),
)
BARE = Face(POINTS, isotropic_covariance(UNKNOWN), UNKNOWN, BOX, 0.5, IBUG68, track_id=0)


def written(kind: type[FaceTable], path: Path) -> Path:
    with kind(path, COLUMNS, "film.mp4") as table:
        table.write(1, Fraction(1, 30), [KNOWN, BARE])
        table.write(2, Fraction(2, 30), [])
    return path


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path)
    if path.suffix == ".jsonl":
        return pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])
    return pd.read_parquet(path)


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_every_format_says_the_same(tmp_path: Path, kind: type[FaceTable], name: str) -> None:
    table = read(written(kind, tmp_path / name))
    assert list(table) == COLUMNS.names
    assert table["frame"].tolist() == [1, 1, 2]
    assert table["face_id"].fillna(-1).tolist() == [3, 0, -1]
    assert table["success"].tolist() == [1, 1, 0]
    assert table["timestamp"].tolist() == [0.033333, 0.033333, 0.066667]
    assert table["confidence"].tolist() == [0.9877, 0.5, 0.0]
    assert table["source"].tolist() == ["film.mp4"] * 3
    first, bare, missing = (table.iloc[i] for i in range(3))
    assert (first["x_1"], first["y_67"], first["sigma_0"], first["box_x1"]) == (
        0.33,
        33.0,
        0.46,
        22.33,
    )
    assert first["confidence_67"] == 0.79
    assert (first["yaw"], first["translation_z"], first["reprojection_error"], first["smile"]) == (
        10.5,
        9.0,
        0.02,
        0.25,
    )
    assert (first["gaze_yaw"], first["gaze_pitch_0"], first["gaze_sigma"]) == (12.35, -5.0, 2.0)
    assert (first["emotion_happy"], first["emotion_guess"]) == (0.75, "happy")
    missed = ["sigma_5", "confidence_5", "yaw", "smile", "gaze_yaw", "emotion_happy"]
    assert bare[[*missed, "emotion_guess"]].isna().all()
    assert pd.isna(first["gaze_yaw_1"])
    assert bare["x_1"] == 0.33
    assert (
        missing[["x_0", "y_67", "sigma_0", "confidence_0", "box_x0", "roll", *missed]].isna().all()
    )


def test_the_columns_of_images_are_among_them_in_their_order() -> None:
    names = COLUMNS.names
    assert [name for name in names if name in FaceColumns(IBUG68).names] == FaceColumns(
        IBUG68
    ).names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_what_was_written_before_an_error_is_a_valid_file(
    tmp_path: Path, kind: type[FaceTable], name: str
) -> None:
    def fail() -> None:
        with kind(tmp_path / name, COLUMNS, "camera 0") as table:
            table.write(1, 0.0, [BARE])
            assert not (tmp_path / name).exists()
            raise RuntimeError("unplugged")

    with pytest.raises(RuntimeError, match="unplugged"):
        fail()
    assert len(read(tmp_path / name)) == 1
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_a_table_that_is_closed_takes_no_row(
    tmp_path: Path, kind: type[FaceTable], name: str
) -> None:
    path = tmp_path / name
    with kind(path, COLUMNS, "film.mp4") as table:
        table.write(1, 0.0, [KNOWN])
    with pytest.raises(OutputError, match=rf"{name}: is closed; write inside the with block"):
        table.write(2, 0.1, [KNOWN])
    assert len(read(path)) == 1


def test_parquet_is_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet

    monkeypatch.setattr(parquet, "_ROWS_PER_GROUP", 4)
    with ParquetTable(tmp_path / "a.parquet", COLUMNS, "film.mp4") as table:
        for frame in range(1, 11):
            table.write(frame, frame / 25, [BARE])
    assert pyarrow.parquet.ParquetFile(tmp_path / "a.parquet").num_row_groups == 3
    assert read(tmp_path / "a.parquet")["frame"].tolist() == list(range(1, 11))


def test_a_stream_keeps_its_own_time() -> None:
    before = Path("/dev/null").stat().st_mtime_ns
    with parquet.RowFile("/dev/null", {"a": "int64"}) as file:
        file.write([[1]])
    assert Path("/dev/null").stat().st_mtime_ns == before


def test_parquet_without_pyarrow_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'facedots\[parquet\]'"):
        ParquetTable(tmp_path / "a.parquet", COLUMNS, "film.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, kind: type[FaceTable], name: str
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=name):
        kind(tmp_path / "file" / name, COLUMNS, "film.mp4")


def test_lines_and_parquet_follow_the_contract(tmp_path: Path) -> None:
    import pyarrow.parquet

    schema = json.loads(JSON_SCHEMA.read_text())
    validator = jsonschema.Draft202012Validator({"$ref": "#/$defs/row", "$defs": schema["$defs"]})
    lines = written(JsonLinesTable, tmp_path / "a.jsonl").read_text().splitlines()
    for line in lines:
        validator.validate(json.loads(line))
    metadata = pyarrow.parquet.read_schema(written(ParquetTable, tmp_path / "a.parquet")).metadata
    assert metadata[b"facedots.schema_version"] == b"1"
