# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""No networks: what a deployment without a network service answers.  Servers have no interfaces."""

import typing

from nova_cells.domain import errors

WORDS = ("There is no network service in this deployment: servers have no interfaces "
         "(capability: network).")


class NoNetworks:
    """A network room that has nothing."""

    def __getattr__(self, name: str) -> typing.Any:
        if name.startswith("_"):
            raise AttributeError(name)

        def refuse(*_args: object, **_named: object) -> typing.NoReturn:
            raise errors.Unsupported(WORDS)
        return refuse

    def ports(self, _server: str, _token: str | None = None) -> list[typing.Any]:
        """None."""
        return []


def there(room: typing.Any) -> bool:
    """Whether there is a network service."""
    return room is not None and not isinstance(room, NoNetworks)
