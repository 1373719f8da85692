# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""No volume service: everything that needs one is refused in words."""

import typing

from nova_cells.domain import errors

WORDS = ("There is no volume service in this deployment: servers have the disks of their flavor "
         "only (capability: volumes).")


class NoVolumes:
    """A volume room that has no volumes."""

    def __getattr__(self, name: str) -> typing.Any:
        if name.startswith("_"):
            raise AttributeError(name)

        def refuse(*_args: object, **_named: object) -> typing.NoReturn:
            raise errors.Unsupported(WORDS)
        return refuse

    def uses(self, _server: str, _volume_id: str | None = None) -> list[typing.Any]:
        """None."""
        return []

    def made(self, _key: str) -> list[typing.Any]:
        """None."""
        return []


def there(room: typing.Any) -> bool:
    """Whether there is a volume service."""
    return room is not None and not isinstance(room, NoVolumes)
