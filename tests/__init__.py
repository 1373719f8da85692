# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The tests run on threads, or on what NOVA_CELLS_CONCURRENCY_BACKEND says; this must come before
any other import."""

import os

from nova_cells import service

service.choose_backend([], os.environ)
