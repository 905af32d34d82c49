"""What a batch is made of, written down once: ``manifest.jsonl`` in the folder of its results.

The first line holds what the rows depend on, each further one a part. A batch that goes on takes
its parts from there, so that they stay the same whatever came to the folders since.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from facedots.batch.sources import Part
from facedots.errors import OutputError
from facedots.io.files import atomic_write
from facedots.io.text import json_line

MANIFEST_FILE = "manifest.jsonl"
_FIX = "give another --out, or the same sources and options again"


def write_manifest(out: Path, head: Mapping[str, Any], parts: Iterable[Part]) -> None:
    """Begin a batch in a folder.

    Raises:
        OutputError: The folder cannot be written.
    """
    lines = [json_line(head), *(json_line(asdict(part)) for part in parts)]
    atomic_write(out / MANIFEST_FILE, "".join(lines))


def read_manifest(out: Path, head: Mapping[str, Any]) -> list[Part] | None:
    """The parts of a batch begun before; None where there is none.

    Args:
        out: Folder of the results.
        head: What the rows depend on now.

    Raises:
        OutputError: The batch was begun with other sources, options, networks or versions, or the
            file is no manifest.
    """
    file = out / MANIFEST_FILE
    try:
        first, *lines = file.read_text(encoding="utf-8").splitlines()
        before = dict(json.loads(first))
        parts = [
            Part(**{**values, "locations": tuple(values["locations"])})
            for values in map(json.loads, lines)
        ]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise OutputError(f"{file}: not a manifest of `facedots batch`; {_FIX}") from error
    plain = json.loads(json_line(head))
    for key in plain | before:
        if before.get(key) != plain.get(key):
            change = f"{key} {before.get(key)} instead of {plain.get(key)}"
            raise OutputError(f"{out}: begun with {change}; {_FIX}")
    return parts
