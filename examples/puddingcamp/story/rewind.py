"""Takes a copy of the application back to where the story begins: its second revision, before the status got a CHECK."""

from __future__ import annotations

from pathlib import Path

LATER = ("d2f60b71a8c5_check_attendance_status.py", "e81c3f92d0b6_allow_excused.py")
EDITS = {
    "enums.py": ('    EXCUSED = "EXCUSED", "공결"\n', ""),
    "models.py": ('enum_field(AttendanceStatus, "check", ', "enum_field(AttendanceStatus, "),
}


def rewind(folder: Path) -> None:
    """Remove the later scripts of the copy in `folder`, and what its models say since."""
    for name in LATER:
        (folder / "alembic" / "versions" / name).unlink()
    for name, (new, old) in EDITS.items():
        path = folder / "appserver" / "apps" / "calendar" / name
        source = path.read_text("utf-8")
        if source.count(new) != 1:
            raise ValueError(f"{path} does not hold {new!r} once")
        path.write_text(source.replace(new, old), "utf-8")
