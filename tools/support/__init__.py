"""What several tools need: figures with their header, fixed samples, the kit as a process, a server as a process."""
