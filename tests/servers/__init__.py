"""Real servers for tests: started on loopback in a directory of their own, stopped by pid.

What is not installed is a loud skip (``Missing``), never a silent pass.
"""
