"""Workflow files as text: every token is replaced, and nothing of the user's can break out of its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.pipelines.actions import ACTIONS
from handrail.pipelines.github import Pipeline, Role, workflow_files
from handrail.pipelines.trust import trust_policy

NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,12}", fullmatch=True)
ROLE = Role("arn:aws:iam::123456789012:role/x", "eu-central-1")


@given(NAMES, NAMES, st.booleans(), st.booleans())
def test_every_token_is_replaced(environment: str, branch: str, has_role: bool, on_rds: bool) -> None:
    pipeline = Pipeline(environment, branch, role=ROLE if has_role or on_rds else None, on_rds=on_rds)
    files = workflow_files(pipeline)
    assert [file.name for file in files] == ["handrail-review.yml", "handrail-deploy.yml", "handrail-restore.yml"]
    for file in files:
        assert "<<" not in file.text.replace("<<'READ'", "")
        assert not [line for line in file.text.splitlines() if line != line.rstrip()]
        assert ("id-token" in file.text) == (pipeline.role is not None and "review" not in file.name)


@given(st.text(min_size=1, max_size=20))
def test_what_would_need_quotes_is_refused(text: str) -> None:
    try:
        pipeline = Pipeline(branch=text)
    except ValueError:
        return
    assert not set(pipeline.branch) & set(" \n\t'\"`$;&|<>(){}[]#:*?!\\")


@pytest.mark.parametrize("name", ACTIONS)
def test_actions_are_pinned(name: str) -> None:
    action, _, rest = ACTIONS[name].partition("@")
    pin, _, version = rest.partition(" # v")
    assert (action.count("/") >= 1, len(pin), set(pin) <= set("0123456789abcdef")) == (True, 40, True)
    assert version.count(".") == 2


def test_rds_needs_a_role() -> None:
    with pytest.raises(ValueError, match="needs a role"):
        Pipeline(on_rds=True)
    assert trust_policy(Pipeline(), "a/b") == ""
