# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A child cell's database, the truth about its servers: states, allocations, operations, and the
outbox.
"""
