# Licensed under the Apache License, Version 2.0; see the file LICENSE.

import setuptools

setuptools.setup(setup_requires=["pbr>=6.0.0"], pbr=True)
