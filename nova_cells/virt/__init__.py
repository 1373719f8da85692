"""Hypervisors: one protocol, a mock of equal standing, and libvirt.

May assume domain values and the image room.  Never reaches a database or the bus.
"""
