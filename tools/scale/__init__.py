"""What a service of several nodes costs, measured here and simulated beyond."""
