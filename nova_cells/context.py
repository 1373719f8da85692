# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Who is asking: the request's context, and what of it travels with a command.

A token never leaves the API: children act with their own service user.
"""

from oslo_context import context

from nova_cells.domain import commands


def origin(asker: context.RequestContext, admin: bool | None = None) -> commands.Origin:
    """What a child may know of the asker.  ``admin``: what policy decided, if it did."""
    return commands.Origin(
        request_id=asker.request_id or "",
        user_id=asker.user_id or "",
        project_id=asker.project_id or "",
        admin=bool(asker.is_admin) if admin is None else admin)
