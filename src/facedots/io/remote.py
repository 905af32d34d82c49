"""Files by address: local paths, and what fsspec opens (extra ``batch``), as ``s3://…``."""

import contextlib
import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from facedots.errors import DownloadError, FacedotsError, ImageError, explain_missing_extra
from facedots.geometry import Image
from facedots.io.fetch import read_url
from facedots.io.files import protect
from facedots.io.images import decode_image, read_image
from facedots.io.inputs import is_url

_WILDCARDS = frozenset("*?[")


def is_remote(location: str) -> bool:
    """Whether a location is an address of any kind, not a local path.

    >>> is_remote("s3://faces/0.tar"), is_remote("faces/0.tar")
    (True, False)
    """
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", location) is not None


@contextlib.contextmanager
def open_binary(location: str) -> Iterator[BinaryIO]:
    """A local file, or what fsspec finds at an address, for reading.

    Raises:
        DownloadError: The address cannot be opened.
        OSError: The local file cannot be opened.
    """
    with contextlib.ExitStack() as stack:
        if is_remote(location):
            with remote_errors(location):
                opened = _fsspec().open(location, "rb")
                file: BinaryIO = stack.enter_context(opened)
        else:
            protect([location])
            file = stack.enter_context(Path(location).open("rb"))
        yield file


def read_bytes(location: str) -> bytes:
    """All bytes of a local file, or of what fsspec finds at an address.

    Raises:
        DownloadError: The address cannot be read.
        OSError: The local file cannot be read.
    """
    if not is_remote(location):
        return Path(location).read_bytes()
    with open_binary(location) as file, remote_errors(location):
        return file.read()


def read_range(location: str, start: int, size: int) -> bytes:
    """Some bytes of a local file, or of what fsspec finds at an address, by one request.

    Raises:
        DownloadError: The address cannot be read.
        OSError: The local file cannot be read.
    """
    if not is_remote(location):
        with Path(location).open("rb") as file:
            file.seek(start)
            return file.read(size)
    with remote_errors(location):
        files, path = _fsspec().core.url_to_fs(location)
        data: bytes = files.cat_file(path, start=start, end=start + size)
        return data


def read_location(location: str, max_pixels: int | None = None) -> Image:
    """The image at a local path, an http address, or an address of fsspec, upright, as
    ``uint8 (H, W, 3)`` RGB.

    Raises:
        ImageError, DownloadError: It is missing, too large, or cannot be decoded or fetched.
    """
    if not is_remote(location):
        return read_image(location, max_pixels=max_pixels)
    data = read_url(location) if is_url(location) else read_bytes(location)
    return decode_image(data, source=location, max_pixels=max_pixels)


def find_remote(source: str, suffixes: Collection[str], recursive: bool) -> list[str]:
    """The addresses that one names, sorted: itself; of a folder those with one of the endings; of a
    pattern those that fit, with one of the endings where it leaves the ending open.

    Raises:
        DownloadError: The place cannot be searched.
        ImageError: Nothing is there, or fits.
    """
    if is_url(source):
        return [source]
    with remote_errors(source):
        files, path = _fsspec().core.url_to_fs(source)
        if _WILDCARDS & set(path):
            names, problem = files.glob(path), "nothing fits this pattern"
            suffix = PurePosixPath(path).suffix
        elif files.isdir(path):
            names = files.find(path, maxdepth=None if recursive else 1)
            problem = "no images in this folder"
            problem += "" if recursive else "; --recursive looks into its folders too"
            suffix = ""
        else:
            return [source]
        if not suffix or _WILDCARDS & set(suffix):
            names = [name for name in names if PurePosixPath(name).suffix.lower() in suffixes]
        if not names:
            raise ImageError(f"{source}: {problem}")
        return [files.unstrip_protocol(name) for name in sorted(names)]


def file_bytes(location: str) -> int | None:
    """The size of a file; None where its server does not tell, or it is not there."""
    if not is_remote(location):
        with contextlib.suppress(OSError):
            return Path(location).stat().st_size
        return None
    with contextlib.suppress(FacedotsError), remote_errors(location):
        files, path = _fsspec().core.url_to_fs(location)
        size = files.size(path)
        return None if size is None else int(size)
    return None


@contextlib.contextmanager
def remote_errors(location: str) -> Iterator[None]:
    """Turn whatever a file system of fsspec raises into a :class:`DownloadError`; each has errors
    of its own, without a common base.
    """
    try:
        yield
    except FacedotsError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, FileNotFoundError):  # s3fs gives nothing but the path
            reason = "not found"
        raise DownloadError(f"{location}: cannot be fetched: {reason}") from error


def _fsspec() -> Any:
    with explain_missing_extra():
        import fsspec
    return fsspec
