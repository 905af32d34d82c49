"""The image files that labels name, as other machines and tools call them."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from facedots.errors import ImageError
from facedots.io.images import SUFFIXES


class ImageFinder:
    """Finds images in a folder by what a tool calls them.

    Args:
        root: The folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def find(self, reference: str) -> Path:
        """The image below the folder.

        Taken as a path first, whole and then without its leading folders; then without regard to
        case, and by its name alone, with or without an ending. Else it may be a file uploaded to
        Label Studio, which prepends ``1a2b3c4d-`` to the name and cleans the rest.

        Args:
            reference: A path, also of Windows, an address (http, s3, gs, …), or Label Studio's
                ``/data/local-files/?d=…``, ``/data/upload/1/…``.

        Raises:
            ImageError: There is no such image, or there are several.
        """
        parts = [part for part in path_of(reference).parts if part not in ("/", "..")]
        for start in range(len(parts)):
            path = self.root.joinpath(*parts[start:])
            if is_file(path):
                return path
        name = parts[-1].lower() if parts else ""
        keys = [(self._by_name, name), (self._by_stem, name)]
        if re.match(r"[0-9a-f]{8}-", name):
            keys.append((self._by_clean_name, _clean(name[9:])))
        for files, key in keys:
            if key in files:
                return self._only(files[key], parts, reference)
        missing = self.root.joinpath(*parts)
        raise ImageError(f"no image {missing}; put it back, or take it out of the export")

    def _only(self, files: Sequence[Path], parts: Sequence[str], reference: str) -> Path:
        """The one of some files whose folders end as the reference's do."""

        def common(file: Path) -> int:
            folders = [part.lower() for part in file.parts[:-1][::-1]]
            wanted = [part.lower() for part in parts[:-1][::-1]]
            alike = (a == b for a, b in zip(folders, wanted, strict=False))
            return next((n for n, same in enumerate(alike) if not same), len(wanted))

        best = max(map(common, files))
        fitting = [file for file in files if common(file) == best]
        if len(fitting) > 1:
            places = " or ".join(map(str, fitting[:3]))
            raise ImageError(f"{reference} may be {places}; give the files unique names")
        return fitting[0]

    @cached_property
    def _files(self) -> list[Path]:
        return [file for file in sorted(self.root.rglob("*")) if file.suffix.lower() in SUFFIXES]

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        return _grouped(self._files, lambda file: file.name.lower())

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        return _grouped(self._files, lambda file: file.stem.lower())

    @cached_property
    def _by_clean_name(self) -> dict[str, list[Path]]:
        return _grouped(self._files, lambda file: _clean(file.name.lower()))


def _grouped(files: Sequence[Path], key: Callable[[Path], str]) -> dict[str, list[Path]]:
    groups: defaultdict[str, list[Path]] = defaultdict(list)
    for file in files:
        groups[key(file)].append(file)
    return dict(groups)


def is_file(path: Path) -> bool:
    """Whether a path is a file; not one where its name is impossible."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def path_of(reference: str) -> PurePosixPath:
    """The path in a reference to an image, whatever stands around it.

    >>> str(path_of("/data/local-files/?d=faces/my%20dog.jpg")), str(path_of("s3://bucket/a/b.jpg"))
    ('faces/my dog.jpg', '/a/b.jpg')
    """
    try:
        address = urlsplit(reference)
    except ValueError:
        return PurePosixPath(reference.replace("\\", "/"))
    if local := parse_qs(address.query).get("d"):
        return PurePosixPath(local[0])
    if address.scheme and address.netloc:
        return PurePosixPath(unquote(address.path))
    # Not an address: what looks like a query may be part of a file's name.
    path = unquote(reference) if reference.startswith("/data/upload/") else reference
    return PurePosixPath(path.replace("\\", "/"))


def _clean(name: str) -> str:
    """A file's name as web servers keep it: letters, digits, ``_-.``, and ``_`` for blanks."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))
