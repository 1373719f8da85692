# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What an operator types.  Here the rooms are joined: what one must not import, it is handed
from here.
"""
