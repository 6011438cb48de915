"""What a text that no member stores was meant to be: mostly a member's name in place of its value, or other letters."""

from __future__ import annotations

import re
from collections.abc import Callable

from handrail.enums.states import Member, ModelEnum


def meant(model: ModelEnum, text: str) -> Member | None:
    """The member that has the text for a name or value, in whatever letters; None when there is none or several."""
    same: Callable[[str], str]
    for same in (str, _folded):
        found = [one for one in model.members if same(text) in {same(word) for word in _words(one)}]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def which(member: Member, text: str) -> str:
    """What the text is to its member, in words."""
    if text == member.name:
        return f"the name of the member that is stored as {member.text!r}"
    if text == member.value:
        return f"the value of {member.name}, which is stored as {member.text!r}"
    return f"another spelling of {member.text!r}"


def _words(member: Member) -> set[str]:
    return {word for word in (member.name, member.value, member.text) if word}


def _folded(text: str) -> str:
    """Without what spellings of one word differ in: "NO_SHOW" and "no-show" are one."""
    return re.sub(r"[\W_]+", "", text).casefold() or text
