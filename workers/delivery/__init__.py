"""Every message is in Redis from its sending until it is acknowledged."""
