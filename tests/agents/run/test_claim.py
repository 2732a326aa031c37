from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agents.run.claim import claim
from envs.config import ConfigError

HOLD = """
import pathlib, sys
from agents.run.claim import claim
claim(pathlib.Path(sys.argv[1]))
print(1, flush=True)
input()
"""


def test_another_process_is_kept_out_until_the_first_one_has_died(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "1\n"
    with pytest.raises(
        ConfigError, match="is being trained by another process: wait until that ends, or stop it"
    ):
        claim(tmp_path)
    other.kill()
    other.communicate()
    claim(tmp_path)
    claim(tmp_path)  # it is ours already
