"""docs/lab.md: the accident is run from the page, as somebody who reads it would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.laboratory import TestLaboratory
from support.postgres import obtain_server_binaries

pytestmark = pytest.mark.story

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "lab.md"


@pytest.mark.story
def test_the_accident_of_the_page_ends_well(laboratory: TestLaboratory) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    programs = [
        Path(sys.executable).parent,
        *(one.bin_dir for one in obtain_server_binaries() if (one.bin_dir / "psql").exists()),
    ]
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    done = subprocess.run(
        ["/bin/sh", "-eu"],
        input="".join(blocks),
        env={**os.environ, "PATH": path, "HANDRAIL_LAB": str(laboratory.folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["1000", "10", "1000"]), done.stderr
