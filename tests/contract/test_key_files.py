"""Where keys are read from, which place wins, and what is refused: above all a key that lies beside the backups."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest

from handrail.errors import ConfigError, HandrailError
from handrail.stores.age import opens
from handrail.stores.key_files import KeyFiles, KeySettings
from handrail.stores.keys import KeyUnusable, NoKeys

KEYS = [pyrage.x25519.Identity.generate() for _ in range(3)]
PUBLIC = [str(key.to_public()) for key in KEYS]


def said(error: HandrailError) -> tuple[str, str, str, str]:
    return error.code, error.message, error.why, error.hint


def write_key(path: Path, number: int = 0, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{KEYS[number]}\n")
    path.chmod(mode)
    return path


def settings(
    folder: Path, *recipients: str, file: str | None = None, identity: str | None = None, store: str | None = None
) -> KeySettings:
    return KeySettings(
        "production", folder, (store or str(folder / "store"),), recipients, file, identity, "in the safe"
    )


def refused(keys: KeyFiles, folder: Path) -> tuple[str, ...]:
    with pytest.raises(KeyUnusable) as caught:
        keys.identity()
    assert "SECRET" not in str(said(caught.value))
    return tuple(part.replace(str(folder), "<here>") for part in said(caught.value))


def test_recipients_are_those_of_the_list_and_of_the_file_each_once(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text(f"# the team\n{PUBLIC[1]}\n\n {PUBLIC[0]} \n")
    keys = KeyFiles(settings(tmp_path, PUBLIC[0], f" {PUBLIC[2]} ", file="keys.txt"), {})
    assert keys.recipients() == (PUBLIC[0], PUBLIC[2], PUBLIC[1])
    assert keys.note == "in the safe"
    assert KeyFiles(settings(tmp_path), {}).recipients() == NoKeys().recipients() == ()


def test_a_recipient_that_cannot_be_used_says_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text("age1nonsense\n")
    for keys, where in (
        (KeyFiles(settings(tmp_path, "age1nonsense"), {}), "`recipients` of the environment production"),
        (KeyFiles(settings(tmp_path, file="keys.txt"), {}), str(tmp_path / "keys.txt")),
    ):
        with pytest.raises(ConfigError) as caught:
            keys.recipients()
        assert caught.value.message == f"'age1nonsense' in {where} is no recipient"


@pytest.mark.parametrize("text", ["", "# nobody\n\n"])
def test_a_file_without_recipients_does_not_mean_unencrypted(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.txt").write_text(text)
    with pytest.raises(ConfigError) as caught:
        KeyFiles(settings(tmp_path, file="keys.txt"), {}).recipients()
    assert said(caught.value) == (
        "HR210",
        f"there is no recipient in {tmp_path}/keys.txt",
        "backups would not be encrypted, although `recipients_file` says so",
        "write a public key on each line (age1…, ssh-ed25519 …)",
    )


def test_a_missing_file_of_recipients_does_not_mean_unencrypted(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        KeyFiles(settings(tmp_path, file="keys.txt"), {}).recipients()
    assert said(caught.value) == (
        "HR210",
        f"the recipients in {tmp_path}/keys.txt cannot be read",
        "No such file or directory",
        "correct `recipients_file` of the environment production",
    )


def test_the_option_wins_over_the_variable_and_that_over_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths of the call are relative to where it is made, those of the configuration to the project."""
    project, here = tmp_path / "project", tmp_path / "here"
    for number, path in enumerate((project / "k0", here / "k1", here / "k2")):
        write_key(path, number)
    monkeypatch.chdir(here)
    named = settings(project, identity="k0")
    for keys, number in (
        (KeyFiles(named, {}), 0),
        (KeyFiles(settings(project, identity="env:KEY"), {"KEY": "k0"}), 0),
        (KeyFiles(named, {"HANDRAIL_IDENTITY": ""}), 0),
        (KeyFiles(named, {"HANDRAIL_IDENTITY": "k1"}), 1),
        (KeyFiles(named, {"HANDRAIL_IDENTITY": "k1"}, Path("k2")), 2),
    ):
        identity = keys.identity()
        assert [opens(identity, [public]) for public in PUBLIC] == [one == number for one in range(3)]
        assert identity.remarks == ()


def test_the_identity_is_read_once(tmp_path: Path) -> None:
    keys = KeyFiles(settings(tmp_path), {}, write_key(tmp_path / "key"))
    first = keys.identity()
    (tmp_path / "key").unlink()
    assert keys.identity() is first


NEXT = "name the file with the private key: --identity FILE"


def test_no_identity_says_where_it_was_looked_for(tmp_path: Path) -> None:
    nobody = "none is given by --identity, HANDRAIL_IDENTITY or `identity` of the environment"
    unset = "`identity` of the environment production takes it from the variable KEY, which is not set"
    missing = "no identity is at hand to open encrypted backups"
    assert refused(KeyFiles(settings(tmp_path), {}), tmp_path) == ("HR540", missing, nobody, NEXT)
    assert refused(KeyFiles(settings(tmp_path, identity="env:KEY"), {}), tmp_path) == ("HR540", missing, unset, NEXT)


def test_a_file_that_cannot_be_read_says_who_named_it(tmp_path: Path) -> None:
    keys = KeyFiles(settings(tmp_path, identity="nowhere"), {})
    why = "No such file or directory; `identity` of the environment production names it"
    assert refused(keys, tmp_path) == ("HR542", "the identity <here>/nowhere cannot be read", why, NEXT)
    keys = KeyFiles(settings(tmp_path), {"HANDRAIL_IDENTITY": str(tmp_path)})
    assert refused(keys, tmp_path) == (
        "HR542",
        "the identity <here> cannot be read",
        "Is a directory; HANDRAIL_IDENTITY names it",
        NEXT,
    )


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_an_identity_that_others_may_read_is_remarked(tmp_path: Path, mode: int) -> None:
    path = write_key(tmp_path / "key", mode=mode)
    remark = f"others may read the identity {path} (mode {mode:04o}): chmod 600 {path}"
    assert KeyFiles(settings(tmp_path), {}, path).identity().remarks == (remark,)


def test_an_identity_may_come_through_a_pipe(tmp_path: Path) -> None:
    """As the shell's <(…) gives it: nothing of it is on a disk."""
    reader, writer = os.pipe()
    os.write(writer, f"{KEYS[0]}\n".encode())
    os.close(writer)
    identity = KeyFiles(settings(tmp_path), {}, Path(f"/dev/fd/{reader}")).identity()
    os.close(reader)
    assert opens(identity, PUBLIC[:1])
    assert identity.remarks == ()


def test_a_key_in_the_note_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        KeyFiles(replace(settings(tmp_path), note=f"it is {KEYS[0]}"), {})
    assert said(caught.value) == (
        "HR210",
        "`identity_note` of the environment production holds a private key",
        "it is printed on recovery sheets, which lie beside the backups (the key is not shown)",
        "say where the key is kept, and make a new one",
    )


def test_a_key_in_place_of_a_path_is_refused_and_not_shown(tmp_path: Path) -> None:
    for keys, named_by in (
        (KeyFiles(settings(tmp_path, identity=str(KEYS[0])), {}), "`identity` of the environment production"),
        (KeyFiles(settings(tmp_path), {"HANDRAIL_IDENTITY": str(KEYS[0])}), "HANDRAIL_IDENTITY"),
        (KeyFiles(settings(tmp_path), {}, Path(str(KEYS[0]))), "--identity"),
        (KeyFiles(settings(tmp_path, identity="env:KEY"), {"KEY": "-----BEGIN OPENSSH PRIVATE KEY-----"}), "KEY"),
    ):
        assert [part.replace("SECRET", "") for part in said(_refusal(keys))] == [
            "HR542",
            f"{named_by} holds a private key itself",
            "it is to name a file: others see the words of commands, variables and configuration (it is not shown)",
            "write the key into a file of mode 0600 and name that one",
        ]


def test_a_file_may_be_called_a_secret_key(tmp_path: Path) -> None:
    file = tmp_path / "secret-key.txt"
    file.write_text(str(KEYS[0]))
    file.chmod(0o600)
    assert KeyFiles(settings(tmp_path, identity=str(file)), {}).identity().remarks == ()


def _refusal(keys: KeyFiles) -> HandrailError:
    with pytest.raises(KeyUnusable) as caught:
        keys.identity()
    return caught.value


@pytest.mark.parametrize("way", ["plain", "dots", "link to the key", "link to the store", "link in the store"])
def test_an_identity_in_the_store_is_refused(tmp_path: Path, way: str) -> None:
    inside = write_key(tmp_path / "store" / "production" / "key")
    (tmp_path / "elsewhere").symlink_to(inside)
    (tmp_path / "same").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "link").symlink_to(write_key(tmp_path / "outside"))
    path = {
        "plain": inside,
        "dots": tmp_path / "x" / ".." / "store" / "production" / "key",
        "link to the key": tmp_path / "elsewhere",
        "link to the store": tmp_path / "same" / "production" / "key",
        "link in the store": tmp_path / "store" / "link",
    }[way]
    keys = KeyFiles(settings(tmp_path), {}, path)
    named = os.path.normpath(path).replace(str(tmp_path), "<here>")
    assert refused(keys, tmp_path) == (
        "HR543",
        f"the identity {named} lies in the store <here>/store",
        "keys are never kept beside what they open: whoever gets the store would have both",
        "move it, make a new key if others can read the store, and correct --identity",
    )
    second = replace(settings(tmp_path), stores=("s3://bucket/backups", str(tmp_path / "store")))
    assert refused(KeyFiles(second, {}, path), tmp_path)[1] == f"the identity {named} lies in the store <here>/store"
    elsewhere = KeyFiles(settings(tmp_path, store="s3://bucket/backups"), {}, write_key(tmp_path / "mine"))
    assert opens(elsewhere.identity(), PUBLIC[:1])
