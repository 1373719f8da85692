"""Values and rules of the control plane: the pure core.

Every type that crosses a room's wall, and every rule that decides something, is here.
May assume: nothing but the standard library, msgspec, os-traits and os-resource-classes.
Never: touches a database, a socket, a clock or a source of randomness; time and new
identifiers are handed in by the caller.
"""
