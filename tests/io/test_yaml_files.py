"""YAML files that cannot fill the memory; all three kinds of file are read by the one helper."""

import os
import time
from pathlib import Path

import pytest

from facedots.annotations.schemas import read_schema
from facedots.effects.stickers import load_sticker
from facedots.errors import DataError, FacedotsError
from facedots.io.yaml_files import MAX_BYTES, read_yaml
from facedots.training.recipe import load_recipe

BILLION = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
FAULTS = {
    "anchors": (BILLION, "line 1: anchors"),
    "huge": ("a: [" + "1," * MAX_BYTES + "]", "larger than 256 KB"),
    "deep": ("[" * 5000 + "]" * 5000, "nested deeper|not YAML"),
    "deep block": ("".join(" " * i + "a:\n" for i in range(600)), "nested deeper|not YAML"),
    "digits": ("a: " + "9" * 6000, "not YAML"),
    "date": ("a: 2024-99-99", "not YAML"),
    "key": ("[a]: 1\n? {b: 1}\n: 2", "not YAML"),
    "tag": ("a: !!python/object/apply:os.system [ls]", "not YAML"),
    "nul": ("a: \0", "not YAML"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_hostile_files_are_refused_in_one_line_and_two_seconds(name: str, tmp_path: Path) -> None:
    text, words = FAULTS[name]
    file = tmp_path / "a.yaml"
    file.write_text(text)
    start = time.perf_counter()
    for read in (load_recipe, read_schema, load_sticker):
        with pytest.raises(FacedotsError, match=rf"a\.yaml: ({words})") as caught:
            read(file)
        assert "\n" not in str(caught.value)
    assert time.perf_counter() - start < 6


def test_endless_files_latin_1_and_pipes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "endless.yaml").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    (tmp_path / "sparse.yaml").touch()
    os.truncate(tmp_path / "sparse.yaml", 1 << 40)
    for name, words in {
        "endless": "larger than",
        "sparse": "larger than",
        "pipe": "a pipe",
        "latin": "UTF-8",
        "lost": "No such file",
    }.items():
        with pytest.raises(DataError, match=rf"{name}\.yaml: .*{words}"):
            read_yaml(tmp_path / f"{name}.yaml", DataError)


def test_plain_files_are_read_with_a_byte_order_mark_too(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes("\ufeffa: [1, two]\nb: {c: é}".encode())
    assert read_yaml(file, DataError) == {"a": [1, "two"], "b": {"c": "é"}}
