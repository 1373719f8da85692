# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The bus over a real RabbitMQ, and ``local://`` held to the same laws."""
