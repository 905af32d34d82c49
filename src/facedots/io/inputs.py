"""Images by name: files, folders, patterns, and web addresses."""

import glob
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from facedots.errors import DownloadError, ImageError
from facedots.geometry import Image
from facedots.io.images import SUFFIXES, decode_image, is_image_file, read_image
from facedots.io.names import file_name

_WILDCARDS = "*?["
_CHUNK = 1 << 16


@dataclass(frozen=True)
class ImageSource:
    """The name of an image, not yet read.

    Attributes:
        location: Its path or URL.
        relative: Its path below the searched folder, else its file name: where results may go.

    Example:
        >>> ImageSource("photos/a.jpg", Path("a.jpg")).read().shape  # doctest: +SKIP
        (480, 640, 3)
    """

    location: str
    relative: Path

    def read(self) -> Image:
        """The image as ``uint8 (H, W, 3)`` RGB, its EXIF orientation applied.

        Raises:
            ImageError: It is missing or cannot be decoded.
            DownloadError: It cannot be downloaded.
        """
        if is_url(self.location):
            return decode_image(read_url(self.location), source=self.location)
        return read_image(self.location)


def is_url(source: str) -> bool:
    """Whether a source is an http or https address."""
    return source.lower().startswith(("http://", "https://"))


def find_images(source: str, recursive: bool = False) -> list[ImageSource]:
    """The images that one source names, sorted by path.

    Args:
        source: A file (whatever its ending), a folder (its files with the endings of images), a
            pattern with ``*``, ``?``, ``[…]`` or ``**``, or a URL.
        recursive: Search the folders of a folder too.

    Raises:
        ImageError: There is no image.
    """
    if is_url(source):
        name = Path(unquote(urlsplit(source).path)).name  # a part of it may be an escaped slash
        return [ImageSource(source, Path(file_name(name) if name.strip(".") else "image"))]
    path = Path(source)
    if path.is_dir():
        files = sorted(path.rglob("*") if recursive else path.iterdir())
        images = [ImageSource(str(f), f.relative_to(path)) for f in files if is_image_file(f)]
        hint = "" if recursive else "; --recursive looks into its folders too"
        problem = f"no images ({', '.join(sorted(SUFFIXES))}) in this folder{hint}"
    elif path.exists() or not any(wildcard in source for wildcard in _WILDCARDS):
        return [ImageSource(source, Path(path.name))]
    else:
        matches = map(Path, sorted(glob.glob(source, recursive=True)))  # noqa: PTH207
        any_suffix = not path.suffix or any(wildcard in path.suffix for wildcard in _WILDCARDS)
        accepts = is_image_file if any_suffix else Path.is_file
        images = [ImageSource(str(file), Path(file.name)) for file in filter(accepts, matches)]
        problem = "no image fits this pattern"
    if not images:
        raise ImageError(f"{source}: {problem}")
    return images


def distinct(images: Iterable[ImageSource]) -> Iterator[ImageSource]:
    """The images without repetitions, whatever path names them."""
    keys: set[str] = set()
    for image in images:
        key = image.location if is_url(image.location) else str(Path(image.location).resolve())
        if key not in keys:
            keys.add(key)
            yield image


def read_url(
    url: str, *, limit: int = 64 << 20, timeout: float = 20.0, max_seconds: float = 120.0
) -> bytes:
    """The bytes at an http or https address.

    Args:
        url: The address.
        limit: Largest accepted number of bytes.
        timeout: Seconds without a byte after which the connection counts as dead.
        max_seconds: Longest accepted time in all.

    Raises:
        DownloadError: The server refuses or cannot be reached, or the data are too large or too
            slow.
    """
    started = time.monotonic()
    data = bytearray()
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "facedots"})
        with urllib.request.urlopen(request, timeout=timeout) as response:
            while chunk := response.read(_CHUNK):
                data += chunk
                if len(data) > limit:
                    raise DownloadError(
                        f"{url}: larger than {limit >> 20} MB; "
                        "download it yourself and give the file"
                    )
                if time.monotonic() - started > max_seconds:
                    raise DownloadError(
                        f"{url}: too slow, {len(data)} bytes in {max_seconds:.0f} s; "
                        "download it yourself"
                    )
            expected = int(response.headers.get("Content-Length") or len(data))
            if len(data) < expected:
                raise DownloadError(
                    f"{url}: the connection broke after {len(data)} of {expected} bytes; try again"
                )
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{url}: the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DownloadError(f"{url}: cannot be fetched: {reason}") from error
    return bytes(data)
