# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The API cell's database, made for reading: servers as their cells last told them, offers,
quota, intents.
"""
