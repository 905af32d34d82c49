"""What a user names as images: files, folders, patterns, and addresses on the web."""

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
from facedots.io.images import SUFFIXES, decode_image, read_image

_WILDCARDS = "*?["
_CHUNK = 1 << 16


@dataclass(frozen=True)
class ImageSource:
    """An image that was named, not yet read.

    Attributes:
        location: Its path or its URL.
        relative: Its path below the folder that was named, or else its file name: where a result
            about it may go.
    """

    location: str
    relative: Path

    def read(self) -> Image:
        """The image, turned as its EXIF orientation says: ``uint8 (H, W, 3)`` RGB.

        Raises:
            ImageError: It is missing or cannot be decoded.
            DownloadError: It does not come from its address.
        """
        if is_url(self.location):
            return decode_image(read_url(self.location), source=self.location)
        return read_image(self.location)


def is_url(source: str) -> bool:
    """Whether a source is an address on the web, http or https."""
    return source.lower().startswith(("http://", "https://"))


def find_images(source: str, recursive: bool = False) -> list[ImageSource]:
    """The images that one source names, sorted by path.

    Args:
        source: A file (whatever its ending), a folder (its files with the endings of images), a
            pattern with ``*``, ``?``, ``[…]`` or ``**``, or a URL.
        recursive: Look into the folders of a folder too.

    Raises:
        ImageError: There is nothing there.
    """
    if is_url(source):
        return [ImageSource(source, Path(unquote(Path(urlsplit(source).path).name) or "image"))]
    path = Path(source)
    if path.is_dir():
        files = sorted(path.rglob("*") if recursive else path.iterdir())
        found = [
            ImageSource(str(file), file.relative_to(path)) for file in files if _is_image(file)
        ]
        hint = "" if recursive else "; --recursive looks into its folders too"
        return _some(
            found, f"{source}: no images ({', '.join(sorted(SUFFIXES))}) in this folder{hint}"
        )
    if path.exists() or not any(wildcard in source for wildcard in _WILDCARDS):
        return [ImageSource(source, Path(path.name))]
    matches = (Path(match) for match in sorted(glob.glob(source, recursive=True)))  # noqa: PTH207 (Path.glob wants a folder)
    ending_given = path.suffix and not any(wildcard in path.suffix for wildcard in _WILDCARDS)
    files = [file for file in matches if (file.is_file() if ending_given else _is_image(file))]
    return _some(
        [ImageSource(str(file), Path(file.name)) for file in files],
        f"{source}: no image fits this pattern",
    )


def distinct(images: Iterable[ImageSource]) -> Iterator[ImageSource]:
    """The images without those that were named before, by whatever path."""
    seen: set[str] = set()
    for image in images:
        key = image.location if is_url(image.location) else str(Path(image.location).resolve())
        if key not in seen:
            seen.add(key)
            yield image


def read_url(
    url: str, *, limit: int = 64 << 20, timeout: float = 20.0, max_lost_seconds: float = 120.0
) -> bytes:
    """The bytes at an address, http or https.

    Args:
        url: The address.
        limit: Bytes beyond which the answer is refused.
        timeout: Seconds without a byte after which the connection counts as dead.
        max_lost_seconds: Seconds that the whole answer may take.

    Raises:
        DownloadError: The server refuses or cannot be reached, or the answer is too large or too
            slow.
    """
    started = time.monotonic()
    data = bytearray()
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "facedots"})
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            while chunk := answer.read(_CHUNK):
                data += chunk
                if len(data) > limit:
                    raise DownloadError(
                        f"{url}: larger than {limit >> 20} MB; download it yourself and give the file"
                    )
                if time.monotonic() - started > max_lost_seconds:
                    raise DownloadError(
                        f"{url}: too slow, {len(data)} bytes in {max_lost_seconds:.0f} s; download it yourself"
                    )
            promised = int(answer.headers.get("Content-Length") or len(data))
            if len(data) < promised:
                raise DownloadError(
                    f"{url}: the connection broke after {len(data)} of {promised} bytes; try again"
                )
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{url}: the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DownloadError(f"{url}: cannot be fetched: {reason}") from error
    return bytes(data)


def _is_image(file: Path) -> bool:
    """Whether a file found by searching counts as an image: by its ending, and not hidden."""
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()


def _some(found: list[ImageSource], otherwise: str) -> list[ImageSource]:
    """The images found, or the error that there is none."""
    if not found:
        raise ImageError(otherwise)
    return found
