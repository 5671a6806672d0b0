"""JSON Web Tokens: `keys` reads the key file, `tokens` says whose token it is."""
