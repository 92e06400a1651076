"""The documentation site: Sphinx with MyST, so that every page is plain Markdown."""

project = "payinfra"
author = "the payinfra authors"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["examples"]
html_theme = "furo"
html_title = "payinfra"
html_extra_path = ["openapi.json"]
html_static_path = ["assets"]
html_css_files = ["site.css"]
# Links to headings are written as GitHub makes them.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
# Every link within the site must lead somewhere: `make site` runs with -W.
nitpicky = True
suppress_warnings = ["myst.header"]
