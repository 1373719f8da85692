# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What happens inside a guest: a new administrator's password, a crash dump.

Both are done at most once for a request.  The password is sealed here and opened by the host
(decision 0010).  Source: the public api-ref, "Servers - run an administrative action".
"""

import typing

from nova_cells.api import acting, shapes
from nova_cells.api.shapes import Shape
from nova_cells.domain import boot
from nova_cells.domain import wanted as wants


def change_password(request: typing.Any) -> None:
    """The administrator's password."""
    row = acting.allowed(request, "os-admin-password")
    sealed = request.services.view.seal.close_secrets(boot.Secrets(
        admin_password=request.body["changePassword"]["adminPass"]))
    acting.act(request, row, "change_password", wanted=wants.Wanted(secrets=sealed))


ACTIONS = (
    acting.action("changePassword", change_password,
                  acting.fields("changePassword", adminPass=shapes.string())),
    acting.action("trigger_crash_dump",
                  acting.verb("crash_dump", "servers:trigger_crash_dump"),
                  Shape(trigger_crash_dump=shapes.nothing), since="2.17"),
)
RULES = (acting.rule("os-admin-password"), acting.rule("servers:trigger_crash_dump"))
