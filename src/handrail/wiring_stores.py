"""Config to stores and keys: where backups go, and who may read them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from handrail.config import Config
from handrail.errors import ConfigError

if TYPE_CHECKING:
    from handrail.stores.keys import Keys
    from handrail.stores.store import Store


def open_stores(config: Config) -> list[Store]:
    """The environment's stores, the one that backups are made into first. ConfigError when two are the same."""
    settings = config.settings
    stores = [open_store(config, place) for place in (settings.store, *settings.copies)]
    places = [store.place for store in stores]
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"`copies` of the environment {config.name} names {twice} twice, or `store` does too",
            why="a copy is of use only in another place",
            hint="remove it there",
        )
    return paced(config, stores)


def paced(config: Config, stores: list[Store]) -> list[Store]:
    """The stores, written together no faster than the environment's `bandwidth` lets."""
    rate = config.settings.bandwidth
    if not rate:
        return stores
    from handrail.stores.paced import Pace, PacedStore

    pace = Pace(rate, time.monotonic, time.sleep)
    return [PacedStore(store, pace) for store in stores]


def open_store(config: Config, place: str, *, expected: int = 0) -> Store:
    """A place for backups: a place in a bucket by its URL, or a local folder, relative ones below the project. A bucket
    is prepared for an object of `expected` bytes."""
    from handrail.stores.file import FileStore

    folder = place.removeprefix("file://")
    if "://" not in folder:
        return FileStore(config.root / Path(folder).expanduser())
    from handrail.stores.objects.address import read_address
    from handrail.stores.objects.client import open_client
    from handrail.stores.objects.store import CloudStore
    from handrail.stores.objects.upload import part_for

    return CloudStore(open_client(read_address(place), os.environ), part=part_for(expected))


def open_keys(config: Config, stores: Iterable[Store], identity: Path | None = None) -> Keys:
    """To whom the environment's backups are encrypted, and what opens them; nothing is read yet. No key may lie in one
    of the stores."""
    from handrail.stores.key_files import KeyFiles, KeySettings

    settings = config.settings
    named = KeySettings(
        config.name,
        config.root,
        tuple(store.place for store in stores),
        settings.recipients,
        settings.recipients_file,
        settings.identity,
        settings.identity_note or "",
    )
    return KeyFiles(named, os.environ, identity)
