"""Download of the public YouTube-faces frames, from a pinned commit and with checked content.

GitHub builds an archive anew for each request, so its content is pinned (:class:`Pins`), not its
hash: the numbers of all labels and the bytes of the labeled test images. Of the training images
only names and sizes are pinned: the project holds a re-encoded copy of them.
"""

import csv
import hashlib
import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from facedots.annotations.known_sets import YOUTUBE_FACES
from facedots.errors import AnnotationError, DataError, DownloadError, FacedotsError, OutputError
from facedots.io.fetch import Progress, fetch, file_sha256, silent
from facedots.io.files import atomic_write
from facedots.io.images import read_image

COMMIT = "99f1b576cb9413750f6cb9f8a049ff35c5c1cc8b"
ARCHIVE_URL = f"https://codeload.github.com/udacity/P1_Facial_Keypoints/zip/{COMMIT}"

MAX_MEMBER, MAX_TOTAL, MAX_RATIO = 64 << 20, 1 << 30, 100
"""Bytes of a file in the archive and of all, unpacked, and times their packed size."""

_DAMAGED = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, RuntimeError, AnnotationError)

FOLDER, PARTS = YOUTUBE_FACES.name, YOUTUBE_FACES.labels
"""Name of the data set's folder, and in it: image folder -> file with its labels."""


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
    """Put the labeled frames into ``folder/youtube-faces``, or check those that are there.

    Args:
        folder: Created if missing; also holds the archive (some 340 MB) during the download, which
            resumes after an interruption if the server allows.
        archive: Address of a zip archive with the data, or a local one.
        pins: What the data must be, whichever archive it comes from.
        progress: Called with the progress of the download.

    Raises:
        DownloadError: The download failed, or the archive does not hold the pinned data; nothing of
            it is kept.
        DataError: The folder holds something else already.
        OutputError: The folder cannot be written.

    Example:
        >>> folder = download_youtube_faces("data")  # doctest: +SKIP
    """
    target = Path(folder) / FOLDER
    if target.exists():
        if faults := differences(target, pins):
            wrong = "; ".join(faults)
            raise DataError(f"{target}: not the published data: {wrong}; move it away first")
        return target
    if Path(archive).is_file():
        _unpack_checked(Path(archive), target, pins)
        return target
    zipped = target.with_name(f".{FOLDER}.zip")
    fetch(archive, zipped, progress=progress)
    try:
        _unpack_checked(zipped, target, pins)
    except DownloadError:
        zipped.unlink()  # A later run must not reuse wrong bytes.
        raise
    zipped.unlink()
    return target


def differences(folder: Path, pins: Pins = PINS) -> list[str]:
    """What in a folder is not as pinned, a few words each; empty where all is right."""
    try:
        actual = asdict(fingerprints(folder))
    except (FacedotsError, OSError) as error:
        return [str(error)]
    wrong = [name for name, digest in asdict(pins).items() if digest != actual[name]]
    return [f"{name.replace('_', ' ')} are not as pinned" for name in wrong]


def fingerprints(folder: Path) -> Pins:
    """The pins of the data in a folder. Opens every image: about ten seconds for the published set.

    Raises:
        AnnotationError: A CSV is not one.
        ImageError, OSError: A file is missing or cannot be decoded.
    """
    labels = [read_labels((folder / name).read_bytes(), name) for name in PARTS.values()]
    rows = [[f"{name},{row}" for name, row in part.items()] for part in labels]
    shapes = {n: read_image(folder / "training" / n, orient=False).shape for n in labels[0]}
    images = [f"{name},{file_sha256(folder / 'test' / name)}" for name in labels[1]]
    sizes = [f"{name},{shape[1]},{shape[0]}" for name, shape in shapes.items()]
    return Pins(*map(_digest, (*rows, images, sizes)))


def read_labels(data: bytes, source: str) -> dict[str, str]:
    r"""The rows of a label file: image name -> its numbers, in one spelling of ``45`` and ``45.0``.

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
    unsafe = [n for n in labels if n in {"", ".."} or PurePosixPath(n).name != n]
    if unsafe:
        raise AnnotationError(source, [f"{name!r} is not a plain file name" for name in unsafe])
    return labels


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode()).hexdigest()


def _unpack_checked(zipped: Path, target: Path, pins: Pins) -> None:
    """Unpack beside the target, check, rename: the target appears complete or not at all."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{FOLDER}.", dir=target.parent))
    except OSError as error:
        raise OutputError(f"{target.parent}: cannot be written: {error.strerror}") from error
    try:
        _unpack(zipped, fresh)
        if faults := differences(fresh, pins):
            wrong = "; ".join(faults)
            raise DownloadError(f"{zipped}: the archive does not hold the published data: {wrong}")
        fresh.chmod(0o755)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _unpack(zipped: Path, into: Path) -> None:
    """Unpack the label files and the images that they name, and nothing else."""
    try:
        with zipfile.ZipFile(zipped) as archive:
            training = PARTS["training"]
            members = [n for n in set(archive.namelist()) if PurePosixPath(n).name == training]
            if len(members) != 1:
                count = f"is there {len(members)} times"
                raise DownloadError(f"{zipped}: {training} should be in the archive once, {count}")
            root = members[0].removesuffix(training)
            room = MAX_TOTAL
            for part, labels in PARTS.items():
                data = _read(archive, root + labels, room)
                atomic_write(into / labels, data)
                room -= len(data)
                for name in read_labels(data, labels):
                    data = _read(archive, f"{root}{part}/{name}", room)
                    atomic_write(into / part / name, data)
                    room -= len(data)
    except _DAMAGED as error:
        raise DownloadError(f"{zipped}: not a whole zip archive with the data: {error}") from error


def _read(archive: zipfile.ZipFile, name: str, room: int) -> bytes:
    """A file of the archive, within bounds."""
    entry = archive.getinfo(name)
    most = min(MAX_MEMBER, room, max(1 << 20, MAX_RATIO * entry.compress_size))
    with archive.open(entry) as member:
        data = member.read(most + 1)
    if len(data) > most:
        raise DownloadError(f"{archive.filename}: {name} is larger than {most >> 20} MB")
    return data
