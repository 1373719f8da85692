# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the daemons do once they run: one module each, with ``Work``, ``check`` and ``workers``.

``cmd.daemon`` imports one when it has decided on what the process runs, and not before: under
eventlet everything must be imported after the world was patched.
"""
