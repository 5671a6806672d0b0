"""Where rooms are kept: the one seam for storage and for spreading over nodes."""
