"""Sphinx configuration of the documentation site; ``make docs`` runs ``tools/docs_build.py``."""

import re
from typing import Any

from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

project = "facedots"
author = "The facedots founders"
project_copyright = "The facedots founders, Apache-2.0"
html_title = "facedots"
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90

# References to other packages cannot be resolved offline; ours must be. Attributes and private type
# variables are no targets.
nitpick_ignore_regex = [
    ("py:.*", r"(?!facedots).*"),
    ("py:attr", r".*"),
    ("py:class", r"facedots\..*\.(_\w+|T)"),
]

add_module_names = False
html_theme = "furo"
pygments_dark_style = "monokai"
html_logo = html_favicon = "images/logo.svg"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
_BRAND = {"light": "#7a3fb0", "dark": "#c79bf2"}
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {
        "color-brand-primary": _BRAND["light"],
        "color-brand-content": _BRAND["light"],
    },
    "dark_css_variables": {
        "color-brand-primary": _BRAND["dark"],
        "color-brand-content": _BRAND["dark"],
    },
}

_ANY_ARRAY = stringify_annotation(ArrayLike, "smart")
_TYPED_ARRAY = re.compile(
    r"~?numpy\.ndarray\[tuple\[~?typing\.Any, \.\.\.\], ~?numpy\.dtype\[(~?[\w.]+)\]\]"
)


_NAPOLEON = 500
"""Priority of napoleon among the handlers of a docstring."""

_aside: dict[str, list[str]] = {}


def setup(app: Sphinx) -> None:
    """Shorten array types in signatures, and keep napoleon from docstrings of properties.

    Napoleon takes the words before a colon in those for a type.
    """
    app.connect("autodoc-process-signature", _with_short_arrays)
    app.connect("autodoc-process-docstring", _set_aside, priority=_NAPOLEON - 1)
    app.connect("autodoc-process-docstring", _put_back, priority=_NAPOLEON + 1)


def _with_short_arrays(*event: object) -> tuple[str | None, str | None]:
    """Texts of the arguments and of the result, the last two values of the event."""
    arguments, result = (_short(text) if isinstance(text, str) else None for text in event[-2:])
    return arguments, result


def _short(text: str) -> str:
    return _TYPED_ARRAY.sub(
        r"~numpy.typing.NDArray[\1]", text.replace(_ANY_ARRAY, "~numpy.typing.ArrayLike")
    )


def _set_aside(_: Sphinx, what: str, name: str, *rest: Any) -> None:
    lines: list[str] = rest[-1]
    if what in {"property", "attribute", "data"} and "Raises:" not in lines:
        _aside[name] = list(lines)


def _put_back(_: Sphinx, __: str, name: str, *rest: Any) -> None:
    lines: list[str] = rest[-1]
    lines[:] = _aside.pop(name, lines)
