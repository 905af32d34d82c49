"""YAML files that users bring: small, flat and without anchors; none can fill the memory."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from facedots.errors import FacedotsError
from facedots.io.files import protect

MAX_BYTES = 256 * 1024
MAX_DEPTH = 30


def read_yaml(path: str | Path, error: type[FacedotsError]) -> Any:
    """What a YAML file holds, in plain values. ``error`` is raised where it cannot be read, is not
    YAML in UTF-8, is larger than :data:`MAX_BYTES`, nested deeper than :data:`MAX_DEPTH`, or
    uses anchors (``&name``, ``*name``).
    """
    import yaml

    file = Path(path)
    protect([file])
    try:
        if file.is_fifo() and not str(path).startswith(("/dev/", "/proc/")):
            raise error(f"{path}: a pipe, not a file")
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as fault:
        raise error(f"{path}: cannot be read: {fault.strerror}") from fault
    except ValueError as fault:  # a null byte in the name
        raise error(f"{path!r}: cannot be read: {fault}") from fault
    if len(data) > MAX_BYTES:
        raise error(f"{path}: larger than {MAX_BYTES // 1024} KB, too large for such a file")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # plain values only
    try:
        text = data.decode("utf-8-sig")
        depth, events = 0, loader(text)
        while events.check_event():
            event = events.get_event()
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise error(f"{path}: line {line}: anchors (&, *) are refused; write values out")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise error(f"{path}: nested deeper than {MAX_DEPTH} levels")
        return loader(text).get_single_data()
    except UnicodeDecodeError as fault:
        raise error(f"{path}: not YAML: not text in UTF-8 (byte {fault.start})") from fault
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError) as fault:
        raise error(f"{path}: not YAML: {' '.join(str(fault).split())}") from fault


def field_faults(errors: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each field of such a file that pydantic refuses, from its ``error.errors()``.

    >>> field_faults([{"loc": ("loss",), "msg": "Value error, 'arcface' is none of wing"}])
    ["  loss: 'arcface' is none of wing"]
    """
    faults = [(".".join(map(str, error["loc"])), error["msg"]) for error in errors]
    own = "Value error, "  # pydantic's words before those of a validator
    return [f"  {name or 'the file'}: {text.removeprefix(own)}" for name, text in faults]
