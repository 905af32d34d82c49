"""The results of many images as JSON, CSV and COCO results, written image by image; for video, see
:mod:`facedots.io.video_tables`.
"""

import contextlib
import csv
import io
import json
import os
import time
from collections.abc import Mapping, Sequence, Set
from itertools import groupby
from pathlib import Path
from typing import Any

from facedots.errors import OutputError
from facedots.io.coco_results import CocoIds
from facedots.io.files import (
    AtomicFile,
    Closable,
    earlier_files,
    output_errors,
    stream_number,
    write_all,
)
from facedots.io.inputs import is_newer, source_key
from facedots.io.results import FaceColumns, csv_rows, image_fields, results_document
from facedots.io.signals import uninterrupted
from facedots.io.text import csv_line, csv_name, json_line, utf8
from facedots.types import ImageResult

_HINT = "give another file, or leave --resume out to replace it"


class RecordFile(Closable):
    """A text file that grows by whole records, and is valid after each, also on a full disk.

    Its time is that of its beginning: what changed later may be in it as it was before.

    Args:
        target: The file, or a stream; see :class:`~facedots.io.files.AtomicFile`.
        head: What comes first.
        separator: What stands between two records.
        tail: What comes last; in a file it follows the last record at any time.

    Example:
        >>> with RecordFile("/dev/null", "[", ", ", "]") as file:
        ...     file.write("1")
        ...     file.count
        1
    """

    def __init__(
        self, target: str | Path, head: str = "", separator: str = "", tail: str = ""
    ) -> None:
        self.count = self._begin = self._end = 0  # of the last record
        self._started = time.time_ns()
        self._separator, self._tail = separator, utf8(tail)
        self._file = AtomicFile(target)
        try:
            self._raw = self._file.open()
            self._put(head)
        except BaseException:
            self._file.rollback()
            raise

    def write(self, record: str) -> None:
        """Append a record, or raise :class:`OutputError` and leave the file as it was."""
        self.check_open(OutputError(f"{self._file.target}: is closed; write inside the with block"))
        self._put(self._separator + record if self.count else record)
        self.count += 1

    def undo(self) -> None:
        """Take the last record back, but not from a stream."""
        if not self._file.is_stream:
            self.count, self._end = self.count - 1, self._begin
            with output_errors(self._file.target):
                self._restore()

    def _close(self) -> None:
        """Finish the file and give it its name."""
        with output_errors(self._file.target), self._raw:
            if self._file.is_stream:
                write_all(self._raw, self._tail)
        self._file.commit()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Keep the records; of an error before the first one nothing is left."""
        if error is not None and not self.count and not self._file.is_stream and self._is_open:
            self.discard()
        else:
            self.close()

    def _put(self, text: str) -> None:
        data = utf8(text)
        with output_errors(self._file.target):
            if self._file.is_stream:
                write_all(self._raw, data)
                return
            try:
                self._raw.seek(self._end)
                write_all(self._raw, data + self._tail)
                os.utime(self._file.path, ns=(self._started, self._started))
                self._begin, self._end = self._end, self._end + len(data)
            except BaseException:
                self._restore()
                raise

    def _restore(self) -> None:
        """Put the tail where the failed record began; the place was taken before."""
        try:
            self._raw.seek(self._end)
            write_all(self._raw, self._tail)
            self._raw.truncate()
        except OSError:
            self.discard()
            raise

    def discard(self) -> None:
        """Leave what was there before, if anything."""
        self._is_open = False
        self._raw.close()
        self._file.rollback()


class ResultFiles(Closable):
    """JSON, CSV and COCO files of results, any of them, that grow image by image.

    Args:
        json_file: The document of docs/results.md.
        csv_file: The table.
        columns: Of the table; their ``schema`` and ``extra`` are the document's too.
        model: Name of the network.
        options: What else the results depend on, plain values by the name of the option; the
            document keeps them, and :meth:`resume` refuses one of other options.
        coco_file: COCO results, with the ids ``coco_ids``.

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
        *,
        options: Mapping[str, Any] | None = None,
        coco_file: str | None = None,
        coco_ids: CocoIds | None = None,
    ) -> None:
        self._columns, self._frame, self._ids = columns, 0, coco_ids
        document = results_document([], columns.schema, model, options=options)
        self._head = json_line(document).removesuffix("]}\n")
        self._json = self._csv = self._coco = None
        self._names = (json_file, csv_file, coco_file)
        with contextlib.ExitStack() as opened:
            if json_file:
                self._json = opened.enter_context(RecordFile(json_file, self._head, ", ", "]}\n"))
            if csv_file:
                self._csv = opened.enter_context(RecordFile(csv_file, csv_line(columns.names)))
            if coco_file:
                self._coco = opened.enter_context(RecordFile(coco_file, "[", ", ", "]\n"))
            self._files = opened.pop_all()

    def __bool__(self) -> bool:
        return bool(self._json or self._csv or self._coco)

    def write(self, result: ImageResult) -> None:
        """Append the faces of an image, to all files or, where the disk is full, to none."""
        rows = csv_rows(self._columns, self._frame + 1, result) if self._csv else ""
        with uninterrupted():
            self._append(image_fields(result, self._columns.extra), rows)

    def _append(self, image: dict[str, Any], rows: str) -> None:
        entries = self._ids.entries(image) if self._ids else []
        faces = ", ".join(json_line(entry).rstrip("\n") for entry in entries)
        records = [(self._json, json_line(image).rstrip("\n")), (self._csv, rows)]
        records.append((self._coco, faces))
        todo = [(file, record, file.count) for file, record in records if file and record]
        try:
            for file, record, _ in todo:
                file.write(record)
        except BaseException:
            for file, _, count in todo:
                if file.count > count:
                    file.undo()
            raise
        self._frame += 1

    def resume(self, redo: Set[str] = frozenset()) -> set[str]:
        """Take over what earlier runs, killed ones too, wrote into the same files.

        Args:
            redo: Images to leave out, by :func:`source_key`.

        Returns:
            The images taken over: those that are in all the files and did not change since.

        Raises:
            OutputError: A file is a stream, or holds other results.
        """
        for name in filter(None, self._names):
            path = Path(name)
            if stream_number(name) is not None or (path.exists() and not path.is_file()):
                raise OutputError(f"{name}: --resume cannot go on with a stream; give a file")
        json_file, csv_file, coco_file = self._names
        if coco_file and not json_file:
            raise OutputError(f"{coco_file}: --resume needs --json FILE too, to tell what is done")
        images = self._earlier_images(json_file) if json_file else {}
        rows = earlier_rows(csv_file, self._columns.names, _HINT) if csv_file else {}
        tables = [table for file, table in ((json_file, images), (csv_file, rows)) if file]
        done = [key for key in tables[0] if all(key in table for table in tables)]
        done = [key for key in done if key not in redo]
        try:
            for key in done:
                lines = ([self._frame + 1, *row[1:]] for row in rows.get(key, []))
                self._append(images.get(key, {}), "".join(map(csv_line, lines)))
        except BaseException:  # The earlier files hold more than these.
            for file in filter(None, (self._json, self._csv, self._coco)):
                file.discard()
            raise
        return set(done)

    def _earlier_images(self, file: str) -> dict[str, Any]:
        """The images in the documents of earlier runs, by :func:`source_key`."""
        expected, images = json.loads(self._head + "]}"), dict[str, Any]()
        del expected["images"]
        for path, whole in earlier_files(file):
            try:
                text = path.read_text(encoding="utf-8")
                if not (whole or text.endswith("]}\n")):
                    text = text[: text.rfind(', {"source": ')] + "]}"
                document = json.loads(text)
                found = {source_key(image["source"]): image for image in document["images"]}
                fresh = {key: found[key] for key in found if not is_newer(key, path)}
                found = {key: image for key, image in fresh.items() if self._is_whole(image)}
                differs = _differences(document, expected)
            except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
                if whole:
                    raise OutputError(f"{file}: not results of facedots; {_HINT}") from error
                continue
            if differs and whole:
                raise OutputError(f"{file}: written with another {differs[0]}; {_HINT}")
            images |= {} if differs else found
        return images

    def _is_whole(self, image: dict[str, Any]) -> bool:
        return all(self._columns.fields <= face.keys() for face in image["faces"])

    def __exit__(self, *error: Any) -> None:
        self._files.__exit__(*error)

    def _close(self) -> None:
        """Finish the files and give them their names."""
        self._files.close()


def _differences(document: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """The fields and options in which the head of a document is not the expected one."""
    fields = [key for key in expected if key != "options" and document[key] != expected[key]]
    wanted, used = expected.get("options", {}), document.get("options", {})
    return fields + [f"--{key}" for key in wanted if key not in used or used[key] != wanted[key]]


def earlier_rows(file: str | Path, columns: Sequence[str], hint: str) -> dict[str, list[list[str]]]:
    """The rows of each image, by :func:`source_key`, in tables of earlier runs, killed ones too.

    Raises:
        OutputError: The file is no table, or has other columns; ends with the hint.
    """
    images: dict[str, list[list[str]]] = {}
    source = columns.index("source")
    for path, whole in earlier_files(file):
        try:
            text = path.read_bytes().decode()
            lines = text if whole else text[: text.rfind("\n") + 1]
            head, *rows = csv.reader(io.StringIO(lines, ""), strict=whole)
        except (OSError, ValueError, csv.Error) as error:
            if whole:
                raise OutputError(f"{file}: not a table of facedots; {hint}") from error
            continue
        if head != list(columns) or any(len(row) != len(head) for row in rows):
            if whole:
                raise OutputError(f"{file}: has other columns; {hint}")
            continue
        groups = [(name, list(group)) for name, group in groupby(rows, lambda row: row[source])]
        if not whole:  # the rows of its last image may not be all
            del groups[-1:]
        found = {source_key(csv_name(name)): group for name, group in groups}
        images |= {key: found[key] for key in found if not is_newer(key, path)}
    return images
