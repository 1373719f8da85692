"""The house as processes: real commands, a real broker, real databases, and kill -9."""
