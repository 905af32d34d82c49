"""Hostile labels: each ends in one of facedots' errors or in faces, soon and within bounds, never
in another exception.
"""

import bz2
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facedots.annotations import base, csv_rows, exports
from facedots.annotations.load import ReadOptions, load_annotations
from facedots.errors import FacedotsError
from facedots.io.images import write_image
from facedots.schema import IBUG68

K = IBUG68.count
POINTS = np.random.default_rng(0).uniform(1, 90, (K, 2)).round(2)
NUMBERS = ",".join(map(str, POINTS.ravel()))
HEAD = "name," + ",".join(f"{axis}{i}" for i in range(K) for axis in "xy")
ROW = f"f0.png,{NUMBERS}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile")
    write_image(path / "f0.png", np.zeros((100, 100, 3), np.uint8))
    return path


def outcome(folder: Path, name: str, content: str | bytes) -> FacedotsError | None:
    """The error that a file ends in, if it does."""
    file = folder / name
    file.write_bytes(
        content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    )
    try:
        load_annotations(file, ReadOptions(images=folder))
    except FacedotsError as error:
        return error if len(str(error)) < 20_000 else None
    finally:
        file.unlink()
    return None


def named(name: str) -> str:
    return f"{HEAD}\n{name},{NUMBERS}\n"


def first_number(value: str) -> str:
    return f"{HEAD}\nf0.png,{value},{NUMBERS.partition(',')[2]}\n"


CSV: dict[str, str | bytes] = {
    "no header": f"{ROW}\n",
    "nan": first_number("nan"),
    "inf": first_number("inf"),
    "1e308": first_number("1e308"),
    "1e30": first_number("1e30"),
    "int of 5000": first_number("9" * 5000),
    "NUL in a name": f"{HEAD}\nf0\0.png,{NUMBERS}\n",
    "NUL in a cell": f"{HEAD}\nf0.png,\0{NUMBERS}\n",
    "binary": bytes(range(256)) * 40,
    "unclosed quote": f'{HEAD}\n"f0.png,{NUMBERS}\n',
    "huge field": f'{HEAD}\n"{"a" * 300_000}",1\n',
    "empty": "",
    "newlines": "\n" * 200_000,
    "short row": f"{HEAD}\nf0.png,1,2\n",
    "long row": f"{HEAD}\nf0.png,{'1,' * 200_000}1\n",
    "commas and short rows": f"{HEAD}\nf0.png{',' * 20_000}\n" + "f0.png,1\n" * 15_000,
    "faulty rows": HEAD + "\n" + "".join(f"g{i}.png,{i}\n" for i in range(100_000)),
    "traversal": named("../../../../../../etc/passwd"),
    "absolute": named("/etc/passwd"),
    "folder": named("."),
    "formula": named("=cmd|' /C calc'!A0"),
    "long name": named("n" * 5000),
    "one column": "name\nf0.png\n",
    "all empty": f"{HEAD}\nf0.png{',' * 136}\n",
    "header only": HEAD,
}

DOCUMENT: dict[str, Any] = {
    "images": [{"id": 0, "file_name": "f0.png", "width": 100, "height": 100}],
    "categories": [{"id": 1, "name": "face", "keypoints": list(IBUG68.names)}],
}
FACE = {
    "id": 0,
    "image_id": 0,
    "category_id": 1,
    "keypoints": np.c_[POINTS, np.full(K, 2)].ravel().tolist(),
}


def coco(**changes: Any) -> str:
    return json.dumps({**DOCUMENT, "annotations": [FACE], **changes})


def keypoints(values: Any) -> str:
    return coco(annotations=[{**FACE, "keypoints": values}])


def image(**changes: Any) -> str:
    return coco(images=[{**DOCUMENT["images"][0], **changes}])


PAIR_FACE = {**FACE, "keypoints": [1, 2, 2, 5, 6, 2]}


def category(skeleton: Any) -> str:
    entry = {"id": 1, "keypoints": ["left_a", "right_a"], "skeleton": skeleton}
    return coco(categories=[entry], annotations=[PAIR_FACE])


COCO: dict[str, str | bytes] = {
    "deep": "[" * 100_000,
    "deep and closed": "[" * 5000 + "]" * 5000,
    "list": "[]",
    "null": "null",
    "string": '"x"',
    "number": "3",
    "nan": keypoints([float("nan")] * 3 * K),
    "1e308": keypoints([1e308, 1, 2] * K),
    "large int": keypoints([10**400, 1, 2] * K),
    "int of 5000": '{"images":' + "9" * 5000 + "}",
    "strings": keypoints(["1"] * 3 * K),
    "no keypoints": keypoints(None),
    "nested": keypoints([[1, 2, 3]] * K),
    "list as id": coco(annotations=[{**FACE, "id": [1]}]),
    "list as image": coco(annotations=[{**FACE, "image_id": [0]}]),
    "dict as image": image(id={}),
    "wrong image": coco(annotations=[{**FACE, "image_id": 99}]),
    "same id": coco(annotations=[FACE, FACE]),
    "traversal": image(file_name="../../../../etc/passwd"),
    "absolute": image(file_name="/etc/passwd"),
    "NUL in a name": image(file_name="f\0.png"),
    "long name": image(file_name="f" * 5000),
    "surrogate": image(file_name="f\ud800.png"),
    "other proportions": image(width=9),
    "size of text": image(width="a", file_name="gone.png"),
    "infinite size": image(width=float("inf")),
    "skeleton of an int": category(5),
    "skeleton beyond": category([[1, 99]]),
    "skeleton of text": category(["ab"]),
    "dict of categories": coco(categories={"a": 1}),
    "dicts as names": coco(categories=[{"id": 1, "keypoints": [{}] * K}], images=[]),
    "annotation of null": coco(annotations=[None]),
    "UTF-16": coco().encode("utf-16"),
    "cut": coco()[:2000],
    "keys twice": '{"images":[],"images":1,"categories":[],"annotations":[]}',
    "empty": "",
}

PLACES = ";".join(f"{x},{y}" for x, y in POINTS)
SHAPE = f'<points label="f" points="{PLACES}"/>'


def cvat(inner: str, name: str = "f0.png", head: str = '<?xml version="1.0"?>') -> str:
    return f'{head}<annotations><image id="0" name="{name}">{inner}</image></annotations>'


def element(label: str) -> str:
    return cvat(f'<skeleton label="f"><points label="{label}" points="1,1"/></skeleton>')


def doctype(inner: str, body: str) -> str:
    return f'<?xml version="1.0"?><!DOCTYPE a [{inner}]><annotations>{body}</annotations>'


LAUGHS = '<!ENTITY l0 "lol">' + "".join(
    f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10)
)

XML: dict[str, str | bytes] = {
    "billion laughs": doctype(LAUGHS, "&l9;"),
    "quadratic": doctype(f'<!ENTITY q "{"q" * 100_000}">', "&q;" * 40_000),
    "external": doctype('<!ENTITY x SYSTEM "file:///etc/passwd">', '<image name="&x;"/>'),
    "external DTD": '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><annotations/>',
    "deep": f"<annotations>{'<image>' * 50_000}{'</image>' * 50_000}</annotations>",
    "unclosed": "<annotations><image",
    **{
        f"encoding {name}": f'<?xml version="1.0" encoding="{name}"?><annotations/>'
        for name in ("foo", "big5", "utf-7", "rot13", "idna")
    },
    "1e308": cvat(f'<points label="f" points="{";".join(["1e308,1"] * K)}"/>'),
    "nan": cvat(f'<points label="f" points="{";".join(["nan,1"] * K)}"/>'),
    "superscript": element("²"),
    "int of 5000": element("9" * 5000),
    "traversal": cvat(SHAPE, "../../../../etc/passwd"),
    "address": cvat(SHAPE, "http://[::1"),
    "long name": cvat(SHAPE, "a" * 5000),
    "NUL": "<annotations>\0</annotations>",
    "empty": "",
    "binary": bytes(range(256)),
    "many points": cvat(f'<points label="f" points="{"1,1;" * 10**6}1,1"/>'),
    "imglab": "<dataset><images><image file='a'><box><part name='9' x='a'/></box></image></images>"
    "</dataset>",
}


def studio(value: Any = None, file: str = "f0.png", **region: Any) -> str:
    place = {"x": 1, "y": 1, "keypointlabels": [IBUG68.names[0]], **(value or {})}
    entry = {"type": "keypointlabels", "id": "a", "original_width": 100, "original_height": 100}
    entry |= {"value": place, **region}
    task = {"id": 1, "data": {"image": file}, "annotations": [{"result": [entry]}]}
    return json.dumps([task])


STUDIO: dict[str, str | bytes] = {
    "object": "{}",
    "null": "[null]",
    "annotations of an int": '[{"id":1,"data":{"image":"f0.png"},"annotations":3}]',
    "value of null": studio().replace('"value": {', '"value": null, "v": {'),
    "text as x": studio({"x": "a"}),
    "1e308": studio({"x": 1e308}),
    "nan": studio({"x": float("nan")}),
    "large int": studio({"x": 10**400}),
    "size of 1e308": studio(original_width=1e308),
    "size of null": studio(original_width=None),
    "dict as label": studio({"keypointlabels": [{}]}),
    "label of 5000": studio({"keypointlabels": ["9" * 5000]}),
    "list as id": studio(id=[1]),
    "list as data": '[{"id":1,"data":[],"annotations":[{"result":[]}]}]',
    "traversal": studio(file="../../../../etc/passwd"),
    "query": studio(file="/data/local-files/?d=../../../../etc/passwd"),
    "address": studio(file="http://[::1"),
    "times mixed": '[{"id":1,"data":{"image":"f0.png"},"annotations":'
    '[{"updated_at":1,"result":[]},{"updated_at":"a","result":[]}]}]',
    "list as parent": studio(parentID=[1]),
    "labelme": '{"shapes": 3, "imagePath": "f0.png"}',
    "labelme of null": '{"shapes": [null], "imagePath": "f0.png"}',
}

BRACES = "{\n" + "\n".join(f"{x} {y}" for x, y in POINTS) + "\n}"
PTS: dict[str, str | bytes] = {
    "1e308": BRACES.replace(str(POINTS[0, 0]), "1e308", 1),
    "half": BRACES.replace(str(POINTS[0, 0]), "nan", 1),
    "binary": bytes(range(256)) * 9,
    "huge": "{\n" + "1 1\n" * 10**6 + "}",
    "one line": "{" + "1 " * 10**6 + "}",
    "nested": "{\n" * 1000,
    "empty": "",
    "UTF-16": BRACES.encode("utf-16"),
}


@pytest.mark.parametrize(
    ("suffix", "name", "content"),
    [
        pytest.param(suffix, name, content, id=f"{suffix} {name}")
        for suffix, files in (("csv", CSV), ("json", COCO), ("xml", XML), ("json", STUDIO))
        for name, content in files.items()
    ],
)
def test_hostile_files_are_refused(
    folder: Path, suffix: str, name: str, content: str | bytes
) -> None:
    assert outcome(folder, f"labels.{suffix}", content) is not None


@pytest.mark.parametrize("name", PTS)
def test_hostile_pts_files_are_refused(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / "a.png", np.zeros((100, 100, 3), np.uint8))
    content = PTS[name]
    (tmp_path / "a.pts").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FacedotsError):
        load_annotations(tmp_path)


def test_the_plain_ones_open(folder: Path) -> None:
    bom = b"\xef\xbb\xbf"
    for name, content in (
        ("labels.csv", f"{HEAD}\n{ROW}\n"),
        ("labels.csv", bom + f"{HEAD}\r\n{ROW}\r\n".encode()),
        ("labels.csv", f"{HEAD}\r{ROW}\r"),
        ("labels.json", coco()),
        ("labels.json", bom + coco().encode()),
        ("labels.xml", cvat(SHAPE)),
        ("labels.xml", cvat(SHAPE, head="").encode("utf-16")),
        ("labels.xml", element("٣")),
        ("labels.json", studio()),
    ):
        assert outcome(folder, name, content) is None, (name, content[:40])


def archive(method: int = zipfile.ZIP_DEFLATED, name: str = "annotations.xml") -> bytearray:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as opened:
        opened.writestr(name, cvat(SHAPE))
    return bytearray(data.getvalue())


def damaged(
    change: Callable[[bytearray, int, int], None], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    data = archive(method)
    change(data, data.index(b"annotations.xml") + 15, data.index(b"PK\1\2"))
    return bytes(data)


def _overwrite(data: bytearray, start: int, directory: int) -> None:
    data[start + 2 : start + 32] = b"\1" * 30


def _encrypt(data: bytearray, start: int, directory: int) -> None:
    data[6] |= 1
    data[directory + 8] |= 1


def _method(data: bytearray, start: int, directory: int) -> None:
    data[8] = data[directory + 10] = 97


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(damaged(_overwrite), id="deflate"),
        pytest.param(damaged(_overwrite, zipfile.ZIP_LZMA), id="lzma"),
        pytest.param(damaged(_overwrite, zipfile.ZIP_BZIP2), id="bzip2"),
        pytest.param(damaged(_encrypt), id="encrypted"),
        pytest.param(damaged(_method), id="method"),
        pytest.param(bytes(archive()[:-30]), id="cut"),
        pytest.param(bytes(archive(name="x")), id="no XML"),
        pytest.param(bytes(archive(name="labels.json")), id="XML as JSON"),
        pytest.param(bz2.compress(b"x"), id="bz2"),
        pytest.param(b"", id="empty"),
    ],
)
def test_damaged_archives_are_refused(folder: Path, content: bytes) -> None:
    assert outcome(folder, "task.zip", content) is not None


def test_nothing_larger_than_the_bound_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcome(folder, "task.zip", bytes(archive())) is None
    for module in (base, exports, csv_rows):
        monkeypatch.setattr(module, "MAX_BYTES", 500)
    assert "is larger than" in str(outcome(folder, "task.zip", bytes(archive())))
    for name, content in (
        ("a.csv", f"{HEAD}\n{ROW}\n"),
        ("a.json", coco()),
        ("a.xml", cvat(SHAPE)),
    ):
        assert outcome(folder, name, content) is not None


def test_a_pipe_or_a_device_is_no_data(tmp_path: Path) -> None:
    for path in ("/dev/null", "/dev/zero"):
        with pytest.raises(FacedotsError, match="neither a file nor a folder"):
            load_annotations(path)
