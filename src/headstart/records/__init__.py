"""The records that travel between rooms: frozen, made of arrays, checked once when built."""
