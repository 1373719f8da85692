"""The child cell's mind: commands in, placing, tasks out, reports in, records up.

May assume the cell's own database and bus.  Never reaches the view; never waits for anybody:
every handler decides, saves in one transaction, and says what to send.
"""
