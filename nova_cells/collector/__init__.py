# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The API cell's RPC service: applies records, confirms offers, resends, delivers intents,
heals.
"""
