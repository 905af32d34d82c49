from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facedots.cli.main import app
from facedots.detection.retinaface import RetinaFace
from facedots.errors import FacedotsError
from facedots.io.images import read_image, sample_portrait, write_image

GRAY = np.full((50, 60, 3), 128, np.uint8)
GRAY[:10] = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An image with a face and one without."""
    hopper = read_image(sample_portrait())
    write_image(
        tmp_path / "in" / "face.png",
        np.asarray(cv2.resize(hopper, None, fx=0.25, fy=0.25), np.uint8),
    )
    write_image(tmp_path / "in" / "none.png", GRAY)
    return tmp_path


def run(folder: Path, model: Path, *arguments: str) -> Result:
    # The points of this network lie on a line, wherever the face is: whoever trusts them covers
    # nothing.
    return CliRunner().invoke(
        app,
        [
            "anonymize",
            str(folder / "in"),
            "--model",
            str(model),
            "--out",
            str(folder / "out"),
            *arguments,
        ],
    )


def test_a_image_without_a_face_is_an_error_and_the_others_are_done(
    folder: Path, tiny_model: Path
) -> None:
    result = run(folder, tiny_model)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [f"{folder}/out/face_anonymous.png: 1 face covered"]
    assert f"{folder}/in/none.png: no face found, so nothing was written" in result.stderr
    assert "looked for faces from 24 pixels, at any angle; choose" in result.stderr
    assert [file.name for file in (folder / "out").iterdir()] == ["face_anonymous.png"]


def test_a_network_that_errs_does_not_uncover_the_face(folder: Path, tiny_model: Path) -> None:
    run(folder, tiny_model, "--method", "solid")
    before, after = (
        read_image(folder / "in" / "face.png"),
        read_image(folder / "out" / "face_anonymous.png"),
    )
    box = RetinaFace()(before).boxes[0].astype(int).tolist()
    assert not after[max(box[1] - 10, 0) : box[3], box[0] : box[2]].any()
    assert (after[-4:] == before[-4:]).all()


@pytest.mark.parametrize(
    ("choice", "said"),
    [("copy", "no face found, COPIED AS IT IS"), ("cover", "no face found, all of it covered")],
)
def test_missing_faces_are_always_reported(
    folder: Path, tiny_model: Path, choice: str, said: str
) -> None:
    result = run(folder, tiny_model, "--on-no-face", choice, "--method", "pixelate")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == f"{folder}/out/none_anonymous.png: {said}"
    assert result.stderr.splitlines() == [
        "1 of 2 images without a face found:",
        f"  {folder}/in/none.png: looked for faces from 24 pixels, at any angle",
    ]
    written = read_image(folder / "out" / "none_anonymous.png")
    assert (written == GRAY).all() == (choice == "copy")
    if choice == "cover":
        assert len(np.unique(written)) <= 6


def test_metadata_and_the_thumbnail_in_it_are_left_behind(folder: Path, tiny_model: Path) -> None:
    ok, jpeg = cv2.imencode(
        ".jpg", cv2.cvtColor(read_image(folder / "in" / "face.png"), cv2.COLOR_RGB2BGR)
    )
    assert ok
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0 SECRET THUMBNAIL"
    data = jpeg.tobytes()
    marked = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    (folder / "in" / "face.png").unlink()
    (folder / "in" / "none.png").unlink()
    (folder / "in" / "photo.jpg").write_bytes(marked)
    assert run(folder, tiny_model).exit_code == 0
    assert b"SECRET" in marked
    assert b"SECRET" not in (folder / "out" / "photo_anonymous.jpg").read_bytes()


def phone_photo(path: Path) -> None:
    """3 megapixels: a face near, and two whose faces have about 55 pixels."""
    hopper = read_image(sample_portrait())
    photo = np.full((1500, 2000, 3), 110, np.uint8)
    small = np.asarray(cv2.resize(hopper, (162, 190), interpolation=cv2.INTER_AREA), np.uint8)
    for left in (60, 1700):
        photo[100:290, left : left + 162] = small
    photo[800:1400, 700:1212] = hopper
    write_image(path, photo)


def test_small_faces_of_a_large_image_are_covered_or_their_neglect_is_told(
    tmp_path: Path, tiny_model: Path
) -> None:
    phone_photo(tmp_path / "in" / "phone.png")
    result = run(tmp_path, tiny_model, "--method", "solid")
    assert result.exit_code == 0, result.output
    written = read_image(tmp_path / "out" / "phone_anonymous.png")
    assert not len(RetinaFace(search="thorough")(written))
    reduced = run(tmp_path, tiny_model, "--search", "default", "--min-face", "128")
    assert reduced.exit_code == 1
    assert "phone.png: written, but faces below 128 pixels were not looked for" in reduced.stderr
    assert "leave out --search" in reduced.stderr


def test_the_limits_of_haar_are_told(folder: Path, tiny_model: Path) -> None:
    (folder / "in" / "none.png").unlink()
    result = run(folder, tiny_model, "--detector", "haar")
    assert result.exit_code == 1
    assert "1 face covered" in result.stdout
    assert "only upright frontal faces were looked for; choose another" in result.stderr


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_of_an_image_with_frames_the_first_is_covered_and_the_others_are_told(
    folder: Path, tiny_model: Path, suffix: str
) -> None:
    pil = pytest.importorskip("PIL.Image")
    face = pil.open(folder / "in" / "face.png").convert("RGB")
    for name in ("face.png", "none.png"):
        (folder / "in" / name).unlink()
    source = folder / f"photo{suffix}"
    face.save(source, save_all=True, append_images=[face.transpose(0)])
    out = ["--model", str(tiny_model), "--out", str(folder / "out"), "--method", "solid"]
    result = CliRunner().invoke(app, ["anonymize", str(source), *out])
    assert result.exit_code == 1
    (written,) = (folder / "out").iterdir()
    assert not len(RetinaFace()(read_image(written)))
    assert pil.open(written).n_frames == 1 if suffix != ".png" else True
    assert f"{suffix}: written, but its first frame alone; cut it into images\n" in result.stderr
    face.save(source)
    assert CliRunner().invoke(app, ["anonymize", str(source), *out]).exit_code == 0


def test_a_photo_that_is_turned_by_its_metadata_is_covered_and_written_upright(
    folder: Path, tiny_model: Path
) -> None:
    pil = pytest.importorskip("PIL.Image")
    (folder / "in" / "none.png").unlink()
    face = pil.open(folder / "in" / "face.png").convert("RGB")
    (folder / "in" / "face.png").unlink()
    exif = pil.Exif()
    exif[0x0112] = 6
    face.rotate(90, expand=True).save(folder / "in" / "a.jpg", exif=exif, quality=95)
    assert run(folder, tiny_model, "--method", "solid").exit_code == 0
    written = read_image(folder / "out" / "a_anonymous.jpg")
    assert written.shape == (face.height, face.width, 3)
    assert not pil.open(folder / "out" / "a_anonymous.jpg").getexif()
    assert not len(RetinaFace()(written))


def test_without_a_detector_nothing_is_anonymized(folder: Path, tiny_model: Path) -> None:
    result = run(folder, tiny_model, "--detector", "single-object")
    assert isinstance(result.exception, FacedotsError)
    assert not (folder / "out").exists()
