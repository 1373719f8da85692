# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Measurements of the real thing: the whole API in this process, or a stand-alone one over HTTP.

Nothing in here is imported by nova_cells.  ``README.rst`` says how to run and how to read it.
"""
