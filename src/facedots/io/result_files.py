"""The results of many images as JSON and CSV, written image by image; for video, see
:mod:`facedots.io.tables`.
"""

import csv
import json
import os
from collections.abc import Set
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

from facedots.errors import OutputError
from facedots.io.files import Closable, stream_number
from facedots.io.inputs import is_url
from facedots.io.names import csv_name
from facedots.io.records import RecordFile
from facedots.io.results import (
    Extra,
    FaceColumns,
    csv_line,
    image_fields,
    image_rows,
    json_line,
    results_document,
)
from facedots.types import ImageResult

_HINT = "give another file, or leave --resume out to replace it"


class ResultFiles(Closable):
    """JSON and CSV files of results, either or both, that grow image by image. Whatever ends the
    writing, they hold the images before, as valid files.

    Args:
        json_file: The document of docs/results.md; None for none.
        csv_file: The table; None for none.
        columns: Of the table, and the schema of both.
        model: Name of the network.
        extra: Further fields of a face in the document.

    Raises:
        OutputError: A file cannot be written, or is an input of the command.

    Example:
        >>> with ResultFiles("faces.json", None, columns, "small") as files:  # doctest: +SKIP
        ...     for result in predict_images(images, pipeline):
        ...         files.write(result)
    """

    def __init__(
        self,
        json_file: str | None,
        csv_file: str | None,
        columns: FaceColumns,
        model: str,
        extra: Extra | None = None,
    ) -> None:
        self._columns, self._extra, self._frame = columns, extra, 0
        self._empty = json.loads(json_line(results_document([], columns.schema, model)))
        self._files = ExitStack()
        self._json = self._csv = None
        self._json_file, self._csv_file = json_file, csv_file
        with ExitStack() as opened:
            if json_file:
                head = json_line(self._empty).removesuffix("]}\n")
                self._json = opened.enter_context(RecordFile(json_file, head, ", ", "]}\n"))
            if csv_file:
                self._csv = opened.enter_context(RecordFile(csv_file, csv_line(columns.names)))
            self._files = opened.pop_all()

    def __bool__(self) -> bool:
        return bool(self._json or self._csv)

    def write(self, result: ImageResult) -> None:
        """Append the faces of an image, to both files or to none.

        Raises:
            OutputError: The disk is full.
        """
        item = json_line(image_fields(result, self._extra)) if self._json else ""
        self._append(item, image_rows(self._columns, self._frame + 1, result) if self._csv else "")

    def _append(self, item: str, rows: str) -> None:
        count = self._json.count if self._json else 0
        try:
            if self._json:
                self._json.write(item.rstrip("\n"))
            if self._csv:
                self._csv.write(rows)
        except BaseException:
            if self._json and self._json.count > count:
                self._json.undo()
            raise
        self._frame += 1

    def resume(self, redo: Set[str] = frozenset()) -> set[str]:
        """Take over what an earlier run wrote into the same files.

        Args:
            redo: Keys (:func:`source_key`) of images to leave out.

        Returns:
            The keys of the images taken over: those that are in all the files.

        Raises:
            OutputError: A file is a stream, or holds other results.
        """
        images = self._json_images(self._json_file) if self._json_file else {}
        rows = self._csv_rows(self._csv_file) if self._csv_file else {}
        tables = [table for file, table in ((self._json, images), (self._csv, rows)) if file]
        done = [key for key in tables[0] if all(key in table for table in tables)]
        done = [key for key in done if key not in redo]
        for key in done:
            lines = ([self._frame + 1, *row[1:]] for row in rows.get(key, []))
            self._append(json_line(images.get(key)), "".join(map(csv_line, lines)))
        return set(done)

    def _json_images(self, file: str) -> dict[str, Any]:
        if not _is_old(file):
            return {}
        try:
            document = json.loads(Path(file).read_text(encoding="utf-8"))
            images = {source_key(image["source"]): image for image in document["images"]}
            differs = [
                name
                for name in self._empty
                if name != "images" and document[name] != self._empty[name]
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(f"{file}: not results of facedots; {_HINT}") from error
        if differs:
            raise OutputError(f"{file}: written with another {differs[0]}; {_HINT}")
        return images

    def _csv_rows(self, file: str) -> dict[str, list[list[str]]]:
        if not _is_old(file):
            return {}
        try:
            with Path(file).open(encoding="utf-8", newline="") as text:
                head, *rows = csv.reader(text, strict=True)
        except (OSError, ValueError, csv.Error) as error:
            raise OutputError(f"{file}: not results of facedots; {_HINT}") from error
        if head != self._columns.names or any(len(row) != len(head) for row in rows):
            raise OutputError(f"{file}: has other columns; {_HINT}")
        frames = groupby(rows, key=lambda row: (row[0], row[-1]))
        return {source_key(csv_name(source)): list(group) for (_, source), group in frames}

    def __exit__(self, *error: Any) -> None:
        self._files.__exit__(*error)

    def close(self) -> None:
        """Finish the files and give them their names; may be called twice."""
        self._files.close()


def source_key(source: str) -> str:
    """What tells whether two sources are one: the URL, or the whole path."""
    return source if is_url(source) else os.path.abspath(source)  # noqa: PTH100 (a name, no file)


def _is_old(file: str) -> bool:
    """Whether there is a file to go on with.

    Raises:
        OutputError: It is a stream.
    """
    if stream_number(file) is not None or (Path(file).exists() and not Path(file).is_file()):
        raise OutputError(f"{file}: --resume cannot go on with a stream; give a file")
    return Path(file).is_file()
