"""The engine for several nodes: rooms in Redis or Valkey, one script a step, pub/sub as a wake-up."""
