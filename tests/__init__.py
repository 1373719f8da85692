# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The tests run on threads, or on what NOVA_CELLS_CONCURRENCY_BACKEND says; this must come before
any other import.  No example of hypothesis is judged by how long it took."""

import os

import hypothesis

from nova_cells import service

service.choose_backend([], os.environ)

hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")
