"""What is installed: set-up (make-venv), versions (`pin`), the `wheel`, and what it does alone (`standalone`)."""
