"""Sphinx: how the documentation site is built. ``make docs`` calls it through ``tools/docs_build.py``."""

project = "facedots"
author = "The facedots founders"
project_copyright = "The facedots founders, Apache-2.0"
html_title = "facedots"
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "sphinx_design"]

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90

# References to other packages cannot be looked up without a network; ours must be found.
nitpick_ignore_regex = [("py:.*", r"(?!facedots).*")]

add_module_names = False
html_theme = "furo"
html_logo = html_favicon = "images/logo.svg"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
_BRAND = {"light": "#7a3fb0", "dark": "#c79bf2"}
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {"color-brand-primary": _BRAND["light"], "color-brand-content": _BRAND["light"]},
    "dark_css_variables": {"color-brand-primary": _BRAND["dark"], "color-brand-content": _BRAND["dark"]},
}
