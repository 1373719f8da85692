"""Choosing: filter, weigh, choose, pack.  The same code chooses cells and hosts.

May assume domain values only.  Never claims anything: what it proposes, one place commits.
"""
