# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The only SQL: ``view`` is the API cell's read replica, ``cell`` is a child cell's truth."""
