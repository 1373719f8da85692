# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What this release says to others, written down, so that the next can be tested against it."""
