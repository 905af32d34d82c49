"""Reference pages made from the code: recipe fields from ``Recipe``, Python from the modules."""

import ast
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le, Lt

from facedots import Recipe

_MODULE = """## {name}

```{{eval-rst}}
.. automodule:: {name}
   :members:
```"""

_BOUNDS = {Ge: ("≥", "ge"), Gt: (">", "gt"), Le: ("≤", "le"), Lt: ("<", "lt")}


def recipe_page() -> str:
    """All fields of a recipe: option, kind of value, default, meaning."""
    rows = [
        f"| `{name}` | {_kind(field)} | {_default(field)} | {field.description} |"
        for name, field in Recipe.model_fields.items()
    ]
    lines = [
        "# Recipe fields",
        "",
        "*Made from `facedots.training.recipe.Recipe`.*",
        "",
        "A recipe is a YAML file of `field: value` lines; `recipes/` holds those of the networks "
        "that ship.",
        "A field on the command line overrides the file's, with `-` for `_`, as in",
        "`facedots train recipes/small.yaml --batch-size 64 --data DIR --out RUN`.",
        "",
        "| field | values | default | meaning |",
        "|---|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def _kind(field: Any) -> str:
    """The type of a field, with its bounds."""
    kind = field.annotation
    name = (
        kind.__name__
        if isinstance(kind, type) and not hasattr(kind, "__args__")
        else str(kind).replace("typing.", "")
    )
    bounds = [
        f"{sign} {getattr(rule, side):g}"
        for rule in field.metadata
        for known, (sign, side) in _BOUNDS.items()
        if isinstance(rule, known)
    ]
    return " ".join([f"`{name}`", ", ".join(bounds)]).strip()


def _default(field: Any) -> str:
    if field.is_required():
        return "**required**"
    return (
        f"`{','.join(field.default)}`"
        if isinstance(field.default, tuple)
        else f"`{field.default!r}`"
    )


def api_pages(package: Path) -> dict[str, str]:
    """A page for the package's top and for each folder of it, with the docstrings of every module
    but the command line's.
    """
    pages = {"index.md": _index(package)}
    for folder in (
        package,
        *sorted(path for path in package.iterdir() if (path / "__init__.py").exists()),
    ):
        modules = [file for file in sorted(folder.glob("*.py")) if not file.name.startswith("_")]
        if folder.name == "cli" or not modules:
            continue
        dotted = package.name if folder == package else f"{package.name}.{folder.name}"
        head = (
            ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
            if folder != package
            else None
        )
        parts = [
            f"# {dotted}",
            head or "",
            *(_MODULE.format(name=f"{dotted}.{file.stem}") for file in modules),
        ]
        pages[f"{dotted}.md"] = "\n\n".join(part for part in parts if part) + "\n"
    return pages


def _homes(stub: Path) -> dict[str, str]:
    """The module of each public name of a package, from its stub."""
    imports = [n for n in ast.parse(stub.read_text()).body if isinstance(n, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in imports for alias in node.names}


def _index(package: Path) -> str:
    """The names that ``import facedots`` gives, each with its first line."""
    lines = [
        "# Python",
        "",
        "What `import facedots` gives; everything else is imported from its module.",
        "",
        "| name | |",
        "|---|---|",
    ]
    for name, home in sorted(_homes(package / "__init__.pyi").items()):
        file = package / f"{home.replace('.', '/')}.py"
        role = "data" if name.isupper() else "class" if name[0].isupper() else "func"
        lines.append(
            f"| {{py:{role}}}`~{package.name}.{home}.{name}` | {_first_sentence(file, name)} |"
        )
    tree = "\n".join(["```{toctree}", ":hidden:", ":glob:", "", f"{package.name}*", "```"])
    return "\n".join(lines) + f"\n\n{tree}\n"


def _first_sentence(file: Path, name: str) -> str:
    """The first sentence of a docstring in a file: of a class, a function, or of the constant that
    a string follows.
    """
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        text = None
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            text = ast.get_docstring(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            is_it = any(isinstance(target, ast.Name) and target.id == name for target in targets)
            is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            text = str(after.value.value) if is_it and is_text else None  # type: ignore[union-attr]
        if text:
            return (
                text.split("\n\n")[0].replace("\n", " ").partition(". ")[0].removesuffix(".") + "."
            )
    raise LookupError(f"{file}: {name} has no docstring")
