"""Networks: what servers need of them, with the real client, the fake and none.

May assume domain values.  Never keeps a user's token beyond one call.
"""
