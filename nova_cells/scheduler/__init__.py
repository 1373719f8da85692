# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Choosing, purely: filter, weigh, choose, pack.  The same code chooses cells and hosts.

It reads what it is handed and touches nothing; the claim that makes a choice true is made
elsewhere, in one transaction.
"""
