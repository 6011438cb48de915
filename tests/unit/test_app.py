"""The commands by name: the one that is called is built alone, and is what it is among all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from handrail.cli.app import app_for
from handrail.cli.commands import COMMANDS, Group, looks_at_project


def every() -> Iterator[tuple[str, ...]]:
    for name, command in COMMANDS.items():
        yield (name,)
        if isinstance(command, Group):
            yield from ((name, one) for one in command.commands)


def built(app: typer.Typer) -> list[str]:
    groups = [(group.name, group.typer_instance) for group in app.registered_groups]
    names = [f"{name} {one}" for name, group in groups if group for one in built(group)]
    return [*(command.name or "" for command in app.registered_commands), *names]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("status", ["status"]),
        ("status --help", ["status"]),
        ("backup pin latest", ["backup pin"]),
        ("downgrade -1", ["downgrade"]),
        ("archive", ["archive status", "archive setup", "archive run"]),
        ("archive --help", ["archive status", "archive setup", "archive run"]),
        ("archive stats", ["archive status", "archive setup", "archive run"]),
    ],
)
def test_what_is_built(words: str, names: list[str]) -> None:
    assert built(app_for(words.split())) == names


@pytest.mark.parametrize("words", ["", "--help", "--version", "statsu", "--env prod status"])
def test_all_are_built_where_none_is_named(words: str) -> None:
    named = [" ".join(one) for one in every() if not isinstance(COMMANDS[one[-1]] if len(one) == 1 else "", Group)]
    assert built(app_for(words.split())) == named


def test_a_command_alone_is_what_it_is_among_all(capsys: pytest.CaptureFixture[str]) -> None:
    whole = typer.main.get_command(app_for())
    for words in every():
        for program in (whole, typer.main.get_command(app_for(words))):
            program([*words, "--help"], prog_name="handrail", standalone_mode=False)
        shown = capsys.readouterr().out
        assert shown == 2 * shown[: len(shown) // 2]
        assert shown.startswith(f"Usage: handrail {' '.join(words)} ")


@pytest.mark.parametrize("words", ["statsu", "backup prnue", "rds snapshto"])
def test_a_slip_is_told_as_among_all(words: str) -> None:
    """With the nearest names, where Typer names them: it must know all of the same group."""
    named, whole = (CliRunner().invoke(app, words.split()) for app in (app_for(words.split()), app_for()))
    assert (named.exit_code, named.output) == (2, whole.output)
    assert f"No such command '{words.rpartition(' ')[2]}'" in named.output


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("--env prod status", "--env comes after the command, as in: handrail upgrade --env prod"),
        ("-e prod status", "--env comes after the command, as in: handrail upgrade --env prod"),
        ("--json -C /srv/shop status", "--json comes after the command, as in: handrail upgrade --json"),
        ("-C /srv/shop status", "--project comes after the command, as in: handrail upgrade --project /srv/shop"),
        ("-y upgrade", "--yes comes after the command, as in: handrail upgrade --yes"),
    ],
)
def test_an_option_before_the_command(words: str, error: str) -> None:
    result = CliRunner().invoke(app_for(words.split()), words.split())
    usage = "Usage: handrail [OPTIONS] COMMAND [ARGS]...\nTry 'handrail --help' for help.\n\n"
    assert (result.exit_code, result.output) == (2, f"{usage}Error: {error}\n")


@pytest.mark.parametrize(
    ("words", "looks"),
    [
        ("status", True),
        ("backup pin latest", True),
        ("upgrade --yes", True),
        ("upgrade --help", False),
        ("backup", False),
        ("backup pinn", False),
        ("lab status", False),
        ("lint migrations", False),
        ("--version", False),
        ("", False),
    ],
)
def test_which_calls_begin_with_a_look_at_the_project(words: str, looks: bool) -> None:
    assert looks_at_project(words.split()) is looks
