"""What a load looks like: on the terminal, as a page, as Markdown, as JSON, and two of them side by side."""
