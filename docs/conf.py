"""The site: Sphinx over these pages. `make docs` builds it; neither building nor reading needs a network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # where `tools` is

project = "roomproof"
author = "The roomproof developers"
copyright = author
html_title = "roomproof"

extensions = ["myst_parser", "tools.docs.extension"]
exclude_patterns = ["README.md"]  # the list of pages for those who read the folder; index.md takes its place here
nitpicky = True
highlight_language = "text"
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence"]
myst_heading_anchors = 5

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/icon.svg"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"top_of_page_buttons": [], "navigation_with_keys": True}
