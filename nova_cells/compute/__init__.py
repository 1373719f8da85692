"""The host agent: does tasks by flows of steps, and reports.

May assume a driver and a journal.  Reaches no database; keeps only its journal.
"""
