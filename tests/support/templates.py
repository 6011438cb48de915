"""Templates of CloudFormation, as cfn-lint reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(sys.executable).parent


def linted(tmp_path: Path, *texts: str) -> str:
    """What cfn-lint says of them."""
    files = [tmp_path / f"template{number}.yaml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    done = subprocess.run(
        [PROGRAMS / "cfn-lint", "--regions", "us-east-1", "ap-northeast-2", "--", *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.stdout + done.stderr
