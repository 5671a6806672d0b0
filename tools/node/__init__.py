"""The second implementation, `examples/node-server`, judged by the kit."""
