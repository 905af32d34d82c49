"""Images by name: files, folders, patterns, and web addresses."""

import contextlib
import glob
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from facedots.errors import ImageError
from facedots.geometry import Image
from facedots.io.fetch import read_url
from facedots.io.headers import MAX_PIXELS
from facedots.io.images import SUFFIXES, decode_image, file_kind, read_image
from facedots.io.text import count_noun, file_name

_WILDCARDS = "*?["
_MOST_ENDINGS = 8


Names = str | Path | Iterable[str | Path]
"""One source, or several."""
Report = Callable[[str], object]
"""Receives a line that names a file or a folder."""


@dataclass(frozen=True)
class ImageSource:
    """The name of an image, not yet read.

    Attributes:
        location: Its path or URL.
        relative: Its path below the searched folder, else its file name: where results may go.
        max_pixels: It is refused if it has more.

    Example:
        >>> ImageSource("photos/a.jpg", Path("a.jpg")).read().shape  # doctest: +SKIP
        (480, 640, 3)
    """

    location: str
    relative: Path
    max_pixels: int = MAX_PIXELS

    def read(self) -> Image:
        """The image as ``uint8 (H, W, 3)`` RGB, its EXIF orientation applied.

        Raises:
            ImageError, DownloadError: It is missing, too large, or cannot be decoded or downloaded.
        """
        if is_url(self.location):
            data = read_url(self.location)
            return decode_image(data, source=self.location, max_pixels=self.max_pixels)
        return read_image(self.location, max_pixels=self.max_pixels)


def is_url(source: str) -> bool:
    """Whether a source is an http or https address."""
    return source.lower().startswith(("http://", "https://"))


def source_key(source: str) -> str:
    """What tells whether two sources are one: the URL, or the whole path."""
    return source if is_url(source) else os.path.abspath(source)  # noqa: PTH100 (a name, no file)


def is_newer(source: str, file: Path) -> bool:
    """Whether an image, if it is a file, changed after a file of results."""
    with contextlib.suppress(OSError, ValueError):
        return not is_url(source) and Path(source).stat().st_mtime > file.stat().st_mtime
    return False


def each_name(names: Names) -> list[str]:
    """The names of sources, where a single one is not taken for a list of its letters.

    >>> each_name("photos"), each_name([Path("a.png"), "b.png"])
    (['photos'], ['a.png', 'b.png'])
    """
    return [str(name) for name in ([names] if isinstance(names, str | Path) else names)]


def find_images(
    source: str | Path,
    recursive: bool = False,
    *,
    max_pixels: int = MAX_PIXELS,
    on_error: Report | None = None,
    on_skip: Report | None = None,
    only_files: bool = True,
) -> list[ImageSource]:
    """The images that one source names, sorted by path.

    Args:
        source: A file (whatever its ending), a folder (its files with the endings of images), a
            pattern with ``*``, ``?``, ``[…]`` or ``**``, or a URL.
        recursive: Search the folders of a folder too.
        max_pixels: Of each image.
        on_error: Gets a line for each folder that cannot be searched, and for each name with the
            ending of an image that is no file; without it the first is raised.
        on_skip: Gets one line that counts what a folder or a pattern holds besides images.
        only_files: Report names that are no files; else they are taken, and fail when read.

    Raises:
        ImageError: There is no image.
    """
    source = str(source)
    if not source:
        raise ImageError("an empty name, as of a variable that is not set; name a file or folder")
    if is_url(source):
        name = Path(unquote(urlsplit(source).path)).name  # a part of it may be an escaped slash
        relative = Path(file_name(name) if name.strip(".") else "image")
        return [ImageSource(source, relative, max_pixels)]
    path = Path(source)
    found = _Search(on_error or _raise, only_files)
    if _is_dir(path):
        found.folder(path, recursive)
        images = [ImageSource(str(f), f.relative_to(path), max_pixels) for f in sorted(found.files)]
        hint = "" if recursive else "; --recursive looks into its folders too"
        problem = f"no images ({', '.join(sorted(SUFFIXES))}) in this folder{hint}"
    elif not any(wildcard in source for wildcard in _WILDCARDS) or os.path.lexists(path):
        return [ImageSource(source, Path(path.name), max_pixels)]
    else:
        any_suffix = not path.suffix or any(wildcard in path.suffix for wildcard in _WILDCARDS)
        for name in sorted(_fitting(source)):
            found.name(Path(name), any_suffix)
        images = [ImageSource(str(file), Path(file.name), max_pixels) for file in found.files]
        problem = "no image fits this pattern"
    skipped = found.summary()
    if not images:
        raise ImageError(f"{source}: {problem}" + (f"; skipped: {skipped}" if skipped else ""))
    if skipped and on_skip:
        on_skip(f"{source}: skipped: {skipped}")
    return images


class _Search:
    """Sorts the names in folders into images, faults, and what is skipped."""

    def __init__(self, on_error: Report, only_files: bool) -> None:
        self.files: list[Path] = []
        self._on_error, self._only_files = on_error, only_files
        self._endings = Counter[str]()
        self._folders = 0

    def folder(self, folder: Path, recursive: bool) -> None:
        """Search a folder; links to folders are not followed."""
        for parent, folders, files in os.walk(folder, onerror=self._locked):
            folders.sort()
            for name in sorted(files):
                self.name(Path(parent, name))
            linked = [name for name in folders if Path(parent, name).is_symlink()]
            self._folders += len(linked if recursive else folders)
            if not recursive:
                break

    def name(self, path: Path, any_suffix: bool = True) -> None:
        """Take a name, or count it; any file is taken if its ending does not matter."""
        hidden, ending = path.name.startswith("."), path.suffix.lower()
        wanted = not any_suffix or (ending in SUFFIXES and not hidden)
        try:
            mode = path.stat().st_mode
        except OSError as error:
            reason = "a link to nothing" if path.is_symlink() else error.strerror
            if wanted and not self._only_files:
                self.files.append(path)
            elif wanted:
                self._on_error(f"{path}: cannot be read: {reason}")
            else:
                self._endings[ending] += 1
            return
        if stat.S_ISDIR(mode):
            self._folders += 1
        elif wanted and (stat.S_ISREG(mode) or not self._only_files):
            self.files.append(path)
        elif wanted:
            self._on_error(f"{path}: cannot be read: {file_kind(mode)}, not a file")
        elif not hidden or ending in SUFFIXES:
            self._endings["hidden" if hidden else ending or "no ending"] += 1

    def summary(self) -> str:
        """What was skipped, or an empty text."""
        parts, files, folders = [], sum(self._endings.values()), self._folders
        if files:
            names = sorted(self._endings, key=lambda ending: (-self._endings[ending], ending))
            names[_MOST_ENDINGS:] = ["…"] if len(names) > _MOST_ENDINGS else []
            parts.append(f"{count_noun(files, 'file')} ({' '.join(names)})")
        if folders:
            parts.append(count_noun(folders, "folder"))
        return ", ".join(parts)

    def _locked(self, error: OSError) -> None:
        self._on_error(f"{error.filename}: cannot be searched: {error.strerror}")


def _fitting(pattern: str) -> Iterator[str]:
    """The names that fit a pattern; ``**`` does not follow links, which may go round in circles."""
    parts = Path(pattern).parts
    if "**" not in parts:
        yield from glob.iglob(pattern)  # noqa: PTH207
        return
    start = next(i for i, part in enumerate(parts) if any(mark in part for mark in _WILDCARDS))
    root = Path(*parts[:start])
    for path in root.glob(str(Path(*parts[start:]))):
        if not any(part.startswith(".") for part in path.relative_to(root).parts):
            yield str(path)


def _raise(message: str) -> None:
    raise ImageError(message)


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, or below a locked folder: reading it will tell
        return False


def distinct(images: Iterable[ImageSource]) -> Iterator[ImageSource]:
    """The images without repetitions, whatever path names them."""
    keys: set[str] = set()
    for image in images:
        key = image.location if is_url(image.location) else str(Path(image.location).resolve())
        if key not in keys:
            keys.add(key)
            yield image
