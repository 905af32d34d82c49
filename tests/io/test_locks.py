"""A folder is held once, by other processes and by this one alike."""

import subprocess
import sys
from pathlib import Path

from facedots.io.locks import lock_folder

TRY = (
    "import sys; from pathlib import Path; from facedots.io.locks import lock_folder\n"
    "with lock_folder(Path(sys.argv[1])) as is_ours: print(is_ours)"
)


def is_free_to_others(folder: Path) -> bool:
    """Whether another process gets the folder."""
    command = [sys.executable, "-c", TRY, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"


def test_a_second_call_is_refused_and_leaves_the_first_its_lock(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with lock_folder(tmp_path / "run") as is_ours:
        assert is_ours
        for name in ("run", "link"):
            with lock_folder(tmp_path / name) as is_ours_too:
                assert not is_ours_too
        with lock_folder(tmp_path / "other") as is_ours_too:
            assert is_ours_too
        assert not is_free_to_others(tmp_path / "run")
    assert is_free_to_others(tmp_path / "run")
    with lock_folder(tmp_path / "run") as is_ours:
        assert is_ours
