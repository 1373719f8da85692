# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A child cell's hub: commands in, placing, tasks out, reports in, records up.  It never reads
the view.
"""
