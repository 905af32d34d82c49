"""Text in file names, CSV, JSON and terminals: whatever bytes it holds, it harms nothing there."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Sequence

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED_FORMULA = re.compile(r"'+[=+\-@\t\r]")
_ESCAPED_BYTE = re.compile(r"\\u(dc[89a-f][0-9a-f])")


def count_noun(count: int, noun: str) -> str:
    """A number and what is counted.

    >>> count_noun(1, "face"), count_noun(3, "face")
    ('1 face', '3 faces')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


def printable(text: str) -> str:
    r"""A text as one line that does nothing to a terminal: control characters, marks that turn the
    direction of writing, and bytes that are not UTF-8 are escaped.

    >>> printable("a\x1b[2J\nb.jpg")
    'a\\x1b[2J\\nb.jpg'
    """
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def utf8(text: str) -> bytes:
    r"""A text as UTF-8. A byte of a file name that is not UTF-8, which Python holds as a surrogate,
    becomes ``\udcXX``: in JSON, the escape of that surrogate.

    >>> utf8('"caf\udce9.jpg"')
    b'"caf\\udce9.jpg"'
    """
    return text.encode("utf-8", "backslashreplace")


def is_utf8(path: object) -> bool:
    r"""Whether a path is UTF-8. OpenCV crashes on others.

    >>> is_utf8("café.mp4"), is_utf8("caf\udce9.mp4")
    (True, False)
    """
    return utf8(str(path)).decode() == str(path)


def csv_cell(text: str) -> str:
    """A text for a cell of CSV: ``'`` before what a spreadsheet would take as a formula.

    >>> csv_cell("=1+1.jpg"), csv_cell("a.jpg"), csv_cell("'=1.jpg")
    ("'=1+1.jpg", 'a.jpg', "''=1.jpg")
    """
    text = utf8(text).decode()
    return f"'{text}" if _FORMULA.match(text) else text


def csv_name(cell: str) -> str:
    r"""The text that :func:`csv_cell` was given.

    >>> csv_name("'=1+1.jpg"), csv_name(csv_cell("caf\udce9.jpg")) == "caf\udce9.jpg"
    ('=1+1.jpg', True)
    """
    text = cell[1:] if _ESCAPED_FORMULA.match(cell) else cell
    return _ESCAPED_BYTE.sub(lambda match: chr(int(match[1], 16)), text)


def csv_line(cells: Sequence[object]) -> str:
    """A line of CSV; names in it should come from :func:`csv_cell`."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def json_line(value: object) -> str:
    """A line of JSON, whatever the file names in it; NaN is refused."""
    return utf8(json.dumps(value, ensure_ascii=False, allow_nan=False)).decode() + "\n"


def file_name(text: str, longest: int = 200) -> str:
    r"""A text as the name of a new file: nothing in it leaves the folder or harms XML; where it is
    longer than so many bytes it is cut, and a mark of the whole keeps it apart from others.

    >>> file_name("a/b\x1b.png"), file_name("n" * 300 + ".png", 24)
    ('a_b_.png', 'nnnnnnnnnnn_8dcbf445.png')
    """
    name = _UNSAFE.sub("_", text).replace("/", "_").replace("\\", "_")
    if len(name.encode()) <= longest:
        return name
    stem, dot, suffix = name.rpartition(".")
    ending = f"_{hashlib.sha256(utf8(text)).hexdigest()[:8]}{dot}{suffix[:8]}"
    start = (stem or name).encode()[: longest - len(ending.encode())]
    return start.decode(errors="ignore") + ending
