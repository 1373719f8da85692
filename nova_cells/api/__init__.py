# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The REST API as a WSGI application: one value per action.  It reads the view and never a
cell's database.
"""
