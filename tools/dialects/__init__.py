"""The page about dialect files, made from their schema."""
