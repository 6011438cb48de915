"""The zip that Lambda runs: the clean-up function with just those modules of handrail that it imports, nothing else.

boto3 is left to Lambda's runtime. The same sources give the same bytes, so that a deployment tells whether anything
changed.
"""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: What the function is called in Lambda's settings.
HANDLER: Final = "handrail.lambda_handler.handler"
#: Lambda takes no larger zip by an upload (AWS Lambda quotas: 50 MB zipped, 250 MB unzipped).
LARGEST: Final = 50_000_000
_START: Final = "handrail.lambda_handler"
#: The earliest moment that a zip can name.
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
_FOLDER: Final = Path(__file__).parent


def package() -> bytes:
    """The zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(needed_modules()):
            path = _file_of(name)
            info = zipfile.ZipInfo(f"handrail/{path.relative_to(_FOLDER).as_posix()}", _LONG_AGO)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, path.read_bytes())
    return out.getvalue()


def needed_modules() -> frozenset[str]:
    """The function's module, and every module of handrail that it may import, also inside a function."""
    found: set[str] = set()
    waiting = [_START]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        parent = name.rpartition(".")[0]
        waiting += [parent] if parent else []
        # The package's own names are for models; they are loaded by name, and the function asks for none.
        waiting += [] if name == "handrail" else list(_imports(_file_of(name)))
    return frozenset(found)


def _imports(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_bytes())
    skipped = {id(one) for block in ast.walk(tree) if _is_for_types(block) for one in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "handrail":
            yield node.module
            yield from (name for alias in node.names if _exists(name := f"{node.module}.{alias.name}"))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "handrail")


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _exists(name: str) -> bool:
    return _path(name).with_suffix(".py").is_file() or (_path(name) / "__init__.py").is_file()


def _path(name: str) -> Path:
    return _FOLDER.joinpath(*name.split(".")[1:])


def _file_of(name: str) -> Path:
    folder = _path(name)
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
