"""The scheduler as a service: a cell's hosts in memory, and answers to ``Select``.

May assume the cell's database, of which it only reads, and the cell's own bus.  Proposes and never
claims, so any number of them may run, none may run, and each may be behind.
"""
