"""The public YouTube-faces frames: fetched from a pinned commit, and used only if they are what
this project was built on.

GitHub builds an archive anew for each request, so the archive's own hash says nothing; its content
is pinned instead (:class:`Pins`). The numbers of all labels and the bytes of the labeled test
images are pinned by SHA-256. Of the training images, names and sizes are pinned, but not the
pixels: the project only ever held a re-encoded copy of them.
"""

import csv
import hashlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath

from facedots.errors import AnnotationError, DataError, DownloadError, FacedotsError, OutputError
from facedots.io.fetch import Progress, fetch, file_sha256, silent
from facedots.io.files import atomic_write
from facedots.io.images import read_image

COMMIT = "99f1b576cb9413750f6cb9f8a049ff35c5c1cc8b"
"""The commit of the public repository ``udacity/P1_Facial_Keypoints`` that the data is taken from."""

ARCHIVE_URL = f"https://codeload.github.com/udacity/P1_Facial_Keypoints/zip/{COMMIT}"

FOLDER = "youtube-faces"
"""Name of the folder that the data set is put into."""

PARTS = {"training": "training_frames_keypoints.csv", "test": "test_frames_keypoints.csv"}
"""Image folder -> file with its labels."""


@dataclass(frozen=True)
class Pins:
    """What identifies the data set, each a SHA-256 in hexadecimal over sorted lines of text.

    Attributes:
        training_labels: Of the numbers of the training CSV, however they are written.
        test_labels: Of those of the test CSV.
        test_images: Of name and SHA-256 of each labeled test image.
        training_sizes: Of name, width and height of each training image, whatever its encoding.
    """

    training_labels: str
    test_labels: str
    test_images: str
    training_sizes: str


PINS = Pins(
    training_labels="f42c7ac14d278bdf1f43ef5c4b17fd01f447df3f5127fbfc76e6f5a498a5971a",
    test_labels="460ad64c5d0ac6ec2dc12b9787a4d1bee83130d06faa884e45a13fc8d24881a2",
    test_images="1fea47561c043a924ec482793cb4149de5943fca6ef380352d23ac41319825ca",
    training_sizes="1deeb2b2ef079d41043e874e2f62b9a925ac13d593a676405e05c5acea6d5f52",
)
"""The published frames, 3,462 to train and 770 to test."""


def download_youtube_faces(
    folder: str | Path, archive: str = ARCHIVE_URL, pins: Pins = PINS, progress: Progress = silent
) -> Path:
    """Put the labeled frames into ``folder/youtube-faces``; where they are already, they are only
    checked.

    Args:
        folder: Made where missing. The archive (some 340 MB) waits there while it comes; a cut
            download goes on if the server can.
        archive: Address of a zip archive with the data, or a file that is one already.
        pins: What the data must be, whichever archive it comes from.
        progress: Told how far the download is.

    Returns:
        The folder with the two CSVs, ``training/`` and ``test/``.

    Raises:
        DownloadError: The download failed, or the archive does not hold the pinned data; nothing of
            it is kept.
        DataError: The folder holds something else already.
        OutputError: The folder cannot be written.
    """
    target = Path(folder) / FOLDER
    if target.exists():
        if faults := differences(target, pins):
            raise DataError(
                f"{target} is there, but is not the published data: {'; '.join(faults)}; move it away first"
            )
        return target
    local = Path(archive)
    given = local.is_file()
    zipped = local if given else target.with_name(f".{FOLDER}.zip")
    if not given:
        fetch(archive, zipped, progress=progress)
    try:
        _unpack_checked(zipped, target, pins)
    except DownloadError:
        if not given:
            zipped.unlink()  # Wrong bytes must not be taken again.
        raise
    if not given:
        zipped.unlink()
    return target


def differences(folder: Path, pins: Pins = PINS) -> list[str]:
    """What in a folder is not as pinned, a few words each; nothing where all is right."""
    try:
        found = fingerprints(folder)
    except (FacedotsError, OSError) as error:
        return [str(error)]
    names = [field.name for field in fields(Pins)]
    return [
        f"{name.replace('_', ' ')} are not as pinned"
        for name in names
        if getattr(found, name) != getattr(pins, name)
    ]


def fingerprints(folder: Path) -> Pins:
    """The pins of the data in a folder. Opens every image: about ten seconds for the published set.

    Raises:
        AnnotationError: A CSV is not one.
        ImageError: A training image is missing or cannot be decoded.
        OSError: A file is missing.
    """
    labels = {part: read_labels((folder / name).read_bytes(), name) for part, name in PARTS.items()}
    sizes = {
        name: read_image(folder / "training" / name, orient=False).shape
        for name in labels["training"]
    }
    return Pins(
        training_labels=_digest(f"{name},{row}" for name, row in labels["training"].items()),
        test_labels=_digest(f"{name},{row}" for name, row in labels["test"].items()),
        test_images=_digest(
            f"{name},{file_sha256(folder / 'test' / name)}" for name in labels["test"]
        ),
        training_sizes=_digest(f"{name},{shape[1]},{shape[0]}" for name, shape in sizes.items()),
    )


def read_labels(data: bytes, source: str) -> dict[str, str]:
    r"""RThe rows of a label file: image name -> its numbers, written shortly, so that ``45`` and
    ``45.0`` are the same.

    Raises:
        AnnotationError: It is not a CSV of names and numbers, or a name is not a plain file name.

    >>> read_labels(b",0,1\r\na.jpg,45.0,7\r\n", "x.csv")
    {'a.jpg': '45,7'}
    """
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))[1:]
        labels = {row[0]: ",".join(f"{float(cell):.9g}" for cell in row[1:]) for row in rows if row}
    except (ValueError, csv.Error) as error:
        raise AnnotationError(source, [f"not a CSV file of names and numbers: {error}"]) from error
    if faults := [
        f"{name!r} is not a plain file name"
        for name in labels
        if name in {"", ".."} or PurePosixPath(name).name != name
    ]:
        raise AnnotationError(source, faults)
    return labels


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode()).hexdigest()


def _unpack_checked(zipped: Path, target: Path, pins: Pins) -> None:
    """Unpack beside the target, check, rename: the target is there whole and right, or not at all."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{FOLDER}.", dir=target.parent))
    except OSError as error:
        raise OutputError(f"{target.parent}: cannot be written: {error.strerror}") from error
    try:
        _unpack(zipped, fresh)
        if faults := differences(fresh, pins):
            raise DownloadError(
                f"{zipped}: the archive does not hold the published data: {'; '.join(faults)}"
            )
        fresh.chmod(0o755)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _unpack(zipped: Path, into: Path) -> None:
    """The label files and the images that they name; nothing else of the archive is looked at."""
    try:
        with zipfile.ZipFile(zipped) as archive:
            members = set(archive.namelist())
            roots = [
                name.removesuffix(PARTS["training"])
                for name in members
                if PurePosixPath(name).name == PARTS["training"]
            ]
            if len(roots) != 1:
                raise DownloadError(
                    f"{zipped}: {PARTS['training']} should be in the archive once, is there {len(roots)} times"
                )
            for part, labels in PARTS.items():
                data = archive.read(roots[0] + labels)
                atomic_write(into / labels, data)
                for name in read_labels(data, labels):
                    atomic_write(into / part / name, archive.read(f"{roots[0]}{part}/{name}"))
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise DownloadError(f"{zipped}: not a whole zip archive with the data: {error}") from error
