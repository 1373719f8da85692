"""Volumes: one protocol; the real client (Cinder), the fake, and none.

May assume nothing of servers but their uuids.  Never keeps a user's token.
"""
