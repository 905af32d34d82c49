"""The pictures that annotation tools mean: they know a picture by a path, an address, or a name of their own making."""

import re
from collections import defaultdict
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from facedots.errors import ImageError
from facedots.io.images import SUFFIXES


class PictureFinder:
    """Finds pictures in a folder by what a tool calls them.

    Args:
        root: The folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def find(self, reference: str) -> Path:
        """The picture below the folder that is meant.

        Taken as a path first, whole and then without its leading folders. If nothing is there, it may be a file that somebody
        uploaded to Label Studio, which puts ``1a2b3c4d-`` before the name and tidies the rest: looked for in all folders.

        Args:
            reference: A path, an address (http, s3, gs, …), or Label Studio's ``/data/local-files/?d=…``, ``/data/upload/1/…``.

        Raises:
            ImageError: There is no such picture, or there are several.
        """
        parts = [part for part in path_of(reference).parts if part not in ("/", "..")]
        for start in range(len(parts)):
            path = self.root.joinpath(*parts[start:])
            if path.is_file():
                return path
        name = parts[-1] if parts else ""
        found = self._by_tidy_name.get(_tidy(name)) or self._by_tidy_name.get(_tidy(re.sub(r"^[0-9a-f]{8}-", "", name)), [])
        if len(found) > 1:
            raise ImageError(f"{reference} may be {' or '.join(map(str, found[:3]))}; give the files names of their own")
        if not found:
            raise ImageError(f"no picture {self.root.joinpath(*parts)}; put it back, or take it out of the export")
        return found[0]

    @cached_property
    def _by_tidy_name(self) -> dict[str, list[Path]]:
        files: defaultdict[str, list[Path]] = defaultdict(list)
        for path in sorted(self.root.rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                files[_tidy(path.name)].append(path)
        return dict(files)


def path_of(reference: str) -> PurePosixPath:
    """The path in a reference to a picture, whatever stands around it.

    >>> str(path_of("/data/local-files/?d=faces/my%20dog.jpg")), str(path_of("s3://bucket/a/b.jpg"))
    ('faces/my dog.jpg', '/a/b.jpg')
    """
    address = urlsplit(reference)
    if given := parse_qs(address.query).get("d"):
        return PurePosixPath(given[0])
    if address.scheme and address.netloc:
        return PurePosixPath(unquote(address.path))
    # Not an address: what looks like a query may be part of a file's name.
    return PurePosixPath((unquote(reference) if reference.startswith("/data/upload/") else reference).replace("\\", "/"))


def _tidy(name: str) -> str:
    """A file's name as web servers keep it: letters, digits, ``_``, ``-`` and ``.``, with ``_`` for blanks."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))
