# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The only oslo.messaging: who is addressed is named by the caller, where that is only the
router knows.
"""
