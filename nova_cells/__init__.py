# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""An OpenStack-style compute control plane in which cells are the only shape there is.

Start at doc/ARCHITECTURE.rst; the words are in doc/GLOSSARY.rst.  This module imports nothing,
so that service.py can choose the concurrency backend before anything else is loaded.
"""
