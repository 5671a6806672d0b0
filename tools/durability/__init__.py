"""The durable store under kills (`kill`) and under a million messages (`store_growth`)."""
