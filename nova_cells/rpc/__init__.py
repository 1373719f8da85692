# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The only oslo.messaging: callers name *who*, the router alone knows *where*."""

from oslo_service import backend

# oslo.messaging loads oslo.service, whose own default is the deprecated backend.  Whoever chose
# one already (service.py does, before all else) is not touched by this.
backend.register_backend_default_hook(lambda: backend.BackendType.THREADING)
