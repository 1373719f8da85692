# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The agent of one host.  It reaches no database: tasks come in, reports go out."""
