# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What must hold on real MariaDB and PostgreSQL, each started by the tests that need it.

Not installed: a skip that says what to install.
"""
