"""5,000 damaged images and 600 damaged other files: no crash, no traceback, no hang, no flood.

Samples of both are in tests/io/test_headers.py and tests/annotations/test_hostile_files.py.
"""

import csv
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import facedots.annotations.load
import facedots.audit.stats
import facedots.cli.main
import facedots.evaluation.report
import facedots.inference.predictor
import facedots.io.video_pyav
import facedots.training.run
from facedots.data.synthetic import draw_face
from facedots.errors import FacedotsError, ImageError
from facedots.io.images import read_image, write_image
from facedots.schema import IBUG68

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures by Linux"),
]

MOST_MEMORY = 500
"""MB over what the process held before, for what is refused."""
MOST_SECONDS = 2.0
"""Of the processor, for what is refused."""
KINDS = ("cut", "flip", "head", "zero", "ones", "splice", "repeat")


@dataclass(frozen=True)
class Outcome:
    """What became of an input in a process of its own."""

    name: str
    text: str
    seconds: float
    megabytes: float


def in_children(function: Callable[[Path], str], files: Sequence[Path]) -> list[Outcome]:
    """Apply a function to files in child processes; one that dies is a text ``died: status``."""
    done: list[Outcome] = []
    while len(done) < len(files):
        receiver, sender = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(receiver)
            _work(function, files[len(done) : len(done) + 200], sender)
        os.close(sender)
        with os.fdopen(receiver, encoding="utf-8") as lines:
            done += [Outcome(*json.loads(line)) for line in lines]
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            done.append(Outcome(files[len(done)].name, f"died: {status}", 0, 0))
    return done


def _work(function: Callable[[Path], str], files: Iterable[Path], out: int) -> None:
    """A child: a line of JSON for each file."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for file in files:
        signal.alarm(60)
        Path("/proc/self/clear_refs").write_text("5")
        base, start = _memory("VmRSS"), time.process_time()
        text = function(file)
        line = [file.name, text, time.process_time() - start, _memory("VmHWM") - base]
        os.write(out, json.dumps(line).encode() + b"\n")
    os._exit(0)


def _memory(field: str) -> float:
    status = Path("/proc/self/status").read_text().split(f"{field}:")[1]
    return int(status.split()[0]) / 1024


def damage(data: bytes, kind: str, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Bytes with one kind of damage."""
    out = bytearray(data)
    at = rng.randrange(len(out))
    if kind == "cut":
        del out[at:]
    elif kind in ("flip", "head"):
        end = min(64, len(out)) if kind == "head" else len(out)
        for _ in range(rng.choice((1, 3, 20, 200) if kind == "flip" else (1, 2, 6))):
            bit = rng.choice((0, 1, 127, 128, 255)) if kind == "head" else 1 << rng.randrange(8)
            out[rng.randrange(end)] ^= bit
    elif kind in ("zero", "ones"):
        count = min(len(out) - at, rng.choice((1, 8, 64, 512)))
        out[at : at + count] = (b"\0" if kind == "zero" else b"\xff") * count
    elif kind == "splice":
        other = rng.choice(others)
        out[at:] = other[rng.randrange(len(other)) :]
    else:
        out[at:at] = out[max(0, at - 300) : at] * rng.choice((1, 5, 500))
    return bytes(out)


def write_damaged(folder: Path, whole: dict[str, bytes], count: int) -> list[Path]:
    rng, names = random.Random(7), list(whole)
    folder.mkdir()
    files = []
    for number in range(count):
        name, kind = names[number % len(names)], KINDS[number % len(KINDS)]
        files.append(folder / f"{number:04}-{kind}.{name}")
        files[-1].write_bytes(damage(whole[name], kind, list(whole.values()), rng))
    return files


def whole_images() -> dict[str, bytes]:
    drawn, _ = draw_face(np.random.default_rng(3))
    rgb = Pillow.fromarray(drawn).resize((96, 120))
    turned = Pillow.Exif()
    turned[0x0112] = 6
    kinds: dict[str, tuple[str, Pillow.Image, dict[str, Any]]] = {
        "jpg": ("JPEG", rgb, {"quality": 80}),
        "progressive.jpg": ("JPEG", rgb, {"progressive": True}),
        "exif.jpg": ("JPEG", rgb, {"exif": turned}),
        "cmyk.jpg": ("JPEG", rgb.convert("CMYK"), {}),
        "png": ("PNG", rgb, {}),
        "palette.png": ("PNG", rgb.convert("P"), {}),
        "webp": ("WEBP", rgb, {}),
        "lossless.webp": ("WEBP", rgb, {"lossless": True}),
        "bmp": ("BMP", rgb, {}),
        "tif": ("TIFF", rgb, {}),
        "lzw.tif": ("TIFF", rgb, {"compression": "tiff_lzw"}),
        "jpeg.tif": ("TIFF", rgb, {"compression": "jpeg"}),
        "big.tif": ("TIFF", rgb, {"big_tiff": True}),
        "gif": ("GIF", rgb.convert("P"), {}),
        "avif": ("AVIF", rgb, {}),
        "jp2": ("JPEG2000", rgb, {}),
    }
    out = {}
    for name, (kind, image, options) in kinds.items():
        data = io.BytesIO()
        image.save(data, kind, **options)
        out[name] = data.getvalue()
    return out


def read(file: Path) -> str:
    try:
        height, width = read_image(file).shape[:2]
    except ImageError as error:
        line = str(error)
        return "refused" if str(file) in line and "\n" not in line else f"unclear: {line}"
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"
    return f"read {width * height}"


def judge(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those that are neither refused nor done as they should be."""
    bad = []
    for item in outcomes:
        kind, _, pixels = item.text.partition(" ")
        most = max(MOST_MEMORY, 9 * int(pixels) / 1e6 if pixels.isdecimal() else 0)
        slow = kind == "refused" and item.seconds > MOST_SECONDS
        if kind not in ("refused", "read") or slow or item.megabytes > most:
            bad.append(item)
    return bad


def test_images(tmp_path: Path) -> None:
    outcomes = in_children(read, write_damaged(tmp_path / "in", whole_images(), 5000))
    bad = judge(outcomes)
    assert not bad, "\n".join(map(str, bad))
    assert sum(item.text == "refused" for item in outcomes) > 2000


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "JPEG2000"])
def test_a_large_image_needs_three_copies_of_its_pixels(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    file = tmp_path / "large"
    Pillow.fromarray(noise).resize((4000, 3000)).save(file, kind)
    (outcome,) = in_children(read, [file])
    assert outcome.text == "read 12000000"
    copies = (outcome.megabytes - file.stat().st_size / 2**20) / (3 * 12e6 / 2**20)
    most = 4.2 if kind in ("TIFF", "AVIF") else 3.2  # OpenCV decodes these into buffers of its own
    assert copies < most, f"{copies:.1f} copies"


def test_predict_on_a_folder_of_damaged_images(tmp_path: Path, tiny_model: Path) -> None:
    """All that failed are named, all others are in JSON and CSV, and drawn."""
    files = write_damaged(tmp_path / "in", whole_images(), 5000)
    whole, _ = draw_face(np.random.default_rng(0))
    for number in range(3):
        files.append(tmp_path / "in" / f"zz{number}.png")
        write_image(files[-1], whole)
    table, document, drawn = (tmp_path / name for name in ("f.csv", "f.json", "drawn"))
    words = ["predict", tmp_path / "in", "--model", tiny_model, "--detector", "single-object"]
    words += ["--csv", table, "--json", document, "--out", drawn]
    command = [sys.executable, "-m", "facedots", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    images = [image["source"] for image in json.loads(document.read_text())["images"]]
    failed = [file for file in map(str, files) if file not in set(images)]
    assert images[-3:] == list(map(str, files[-3:]))
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert all(any(line.strip().startswith(f"{file}:") for line in lines) for file in failed)
    assert len(lines) - len(failed) <= 2, [line for line in lines if "in/" not in line][:5]
    with table.open(newline="") as text:
        assert {row["source"] for row in csv.DictReader(text)} == set(images)
    assert len(list(drawn.iterdir())) == len(images)


def whole_files(model: Path, folder: Path) -> dict[str, bytes]:
    """A file of each kind that users bring, by ending; ``f0.png`` beside it is the image."""
    drawn, points = draw_face(np.random.default_rng(0))
    write_image(folder / "f0.png", drawn)
    height, width = drawn.shape[:2]
    names, rounded = list(IBUG68.names), points.astype(float).round(2)
    numbers = ",".join(map(str, rounded.ravel()))
    head = "name," + ",".join(f"{axis}{i}" for i in range(68) for axis in "xy")
    face = {"id": 0, "image_id": 0, "category_id": 1}
    coco = {
        "images": [{"id": 0, "file_name": "f0.png", "width": width, "height": height}],
        "categories": [{"id": 1, "name": "face", "keypoints": names, "skeleton": [[1, 2]]}],
        "annotations": [face | {"keypoints": np.c_[rounded, np.full(68, 2)].ravel().tolist()}],
    }
    places = ";".join(f"{x},{y}" for x, y in rounded)
    shape = f'<points label="face" points="{places}"/>'
    cvat = f'<annotations><image id="0" name="f0.png">{shape}</image></annotations>'
    parts = "".join(f'<part name="{i:02}" x="{x}" y="{y}"/>' for i, (x, y) in enumerate(rounded))
    box = f'<box top="1" left="1" width="90" height="90">{parts}</box>'
    imglab = f'<dataset><images><image file="f0.png">{box}</image></images></dataset>'
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("annotations.xml", cvat)
    share = 100 * rounded / (width, height)
    regions = [
        {"type": "keypointlabels", "id": f"p{i}", "original_width": width}
        | {"original_height": height, "value": {"x": x, "y": y, "keypointlabels": [names[i]]}}
        for i, (x, y) in enumerate(share.tolist())
    ]
    task = {"id": 1, "data": {"image": "f0.png"}, "annotations": [{"result": regions}]}
    marks = [
        {"label": name, "points": [point], "shape_type": "point"}
        for name, point in zip(names, rounded.tolist(), strict=True)
    ]
    lines = "\n".join(f"{x} {y}" for x, y in rounded)
    recipe = "base: tiny\nmodel: tiny\nepochs: 1\nbatch_size: 8\naugment:\n  rotation: 10\n"
    return {
        "csv": f"{head}\nf0.png,{numbers}\n".encode(),
        "coco.json": json.dumps(coco).encode(),
        "studio.json": json.dumps([task]).encode(),
        "labelme.json": json.dumps({"shapes": marks, "imagePath": "f0.png"}).encode(),
        "cvat.xml": cvat.encode(),
        "imglab.xml": imglab.encode(),
        "cvat.zip": packed.getvalue(),
        "f0.pts": f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n".encode(),
        "yaml": recipe.encode(),
        "onnx": model.read_bytes(),
        "ckpt": b"PK\3\4" + bytes(2000),
        "mp4": film(folder),
    }


def film(folder: Path) -> bytes:
    from fractions import Fraction

    from facedots.io.video import Frame, VideoInfo, open_reader, open_writer

    (folder / "frames").mkdir()
    drawn, _ = draw_face(np.random.default_rng(0))
    for number in range(8):
        write_image(folder / "frames" / f"{number}.png", drawn)
    reader = open_reader(folder / "frames")
    assert isinstance(reader.info, VideoInfo)
    with open_writer(folder / "film.mp4", reader) as writer:
        for number in range(8):
            writer.write(Frame(drawn, Fraction(number, 25)))
    return (folder / "film.mp4").read_bytes()


def command_of(file: Path, model: Path, out: Path) -> list[object]:
    """The command that a user would give such a file to."""
    fast = ["--model", model, "--detector", "single-object"]
    folder = out / file.name
    commands: dict[str, list[object]] = {
        ".yaml": ["train", file, "--data", "synthetic:24", "--epochs", "0", "--out", folder],
        ".onnx": ["predict", out.parent / "f0.png", "--model", file, "--detector", "single-object"],
        ".ckpt": ["export", file, "--out", folder],
        ".mp4": ["video", file, "--csv", folder, *fast],
        ".pts": ["data", "stats", file.parent],
    }
    if file.suffix in commands:
        return commands[file.suffix]
    words = ["audit"] if file.stem.endswith(("cut", "zero", "flip.coco")) else ["stats"]
    options = ["--out", folder, "--model", "none"] if words == ["audit"] else []
    return ["data", *words, file, "--images", out.parent, *options]


def test_other_files(tmp_path: Path, tiny_model: Path) -> None:
    whole, out = whole_files(tiny_model, tmp_path), tmp_path / "out"
    out.mkdir()
    files = write_damaged(tmp_path / "in", whole, 600)
    printed = tmp_path / "printed"

    def run(file: Path) -> str:
        if file.suffix == ".pts":  # a folder of its own, with the image
            folder = out / f"{file.name}-in"
            folder.mkdir()
            (folder / "f0.png").symlink_to(tmp_path / "f0.png")
            file = file.rename(folder / "f0.pts")
        sys.stdout = sys.stderr = printed.open("w", encoding="utf-8", errors="backslashreplace")
        sys.argv = ["facedots", *map(str, command_of(file, tiny_model, out))]
        try:
            facedots.cli.main.main()
            status: object = 0
        except SystemExit as stop:
            status = stop.code
        except FacedotsError as error:
            return f"raised {error}"
        sys.stdout.close()
        text = printed.read_text(errors="replace")
        if "Traceback" in text or "unexpected " in text:
            return f"traceback: {text[-2000:]}"
        return "read" if not status else "refused" if text.strip() else "silent"

    outcomes = in_children(run, files)
    bad = judge(outcomes)
    assert not bad, "\n".join(map(str, bad))
    assert sum(item.text == "refused" for item in outcomes) > 200
