"""The rooms of payinfra, read from the code's own imports: the page docs/rooms.md and its drawing.

A room is a package or module directly below `payinfra`, or `handlers`. Its floor is its layer in
`.importlinter`.
"""

import ast
import configparser
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).parent.parent
PACKAGES = ("payinfra", "handlers")
BOX_WIDTH, BOX_HEIGHT, GAP, FLOOR_HEIGHT, MARGIN = 130, 40, 24, 92, 24


@dataclass(frozen=True)
class CodeRoom:
    """One room.

    Attributes:
        name: below `payinfra`, or `handlers`.
        owns: the first sentence of its docstring.
        imports: the rooms that it imports, in the order of their names.
    """

    name: str
    owns: str
    imports: tuple[str, ...]


def floors(config: Path = ROOT / ".importlinter") -> tuple[tuple[str, ...], ...]:
    """The rooms of each floor, the highest first, as the exhaustive layers contract has them."""
    parser = configparser.ConfigParser()
    parser.read(config, encoding="utf-8")
    contract = next(section for section in parser.values() if section.getboolean("exhaustive", False))
    layers = contract["layers"].strip().splitlines()
    return tuple(
        tuple(
            name.strip().strip("()").removeprefix("payinfra.") for name in layer.replace(":", "|").split("|")
        )
        for layer in layers
    )


def read() -> tuple[CodeRoom, ...]:
    """Every room with what it imports, in the order of the floors, then `handlers`."""
    graph = grimp.build_graph(*PACKAGES, include_external_packages=False, exclude_type_checking_imports=True)
    names = [name for floor in floors() for name in floor]
    modules: dict[str, list[str]] = {name: [] for name in [*names, "handlers"]}
    for module in sorted(graph.modules):
        if (room := _room(module)) in modules:
            modules[room].append(module)
    return tuple(_read(name, found, graph) for name, found in modules.items())


def _room(module: str) -> str:
    package, _, rest = module.partition(".")
    return package if package != "payinfra" else rest.partition(".")[0]


def _read(name: str, modules: Sequence[str], graph: grimp.ImportGraph) -> CodeRoom:
    files = [file for module in modules if (file := _file(module)).exists()]
    imported = {
        _room(other) for module in modules for other in graph.find_modules_directly_imported_by(module)
    }
    return CodeRoom(
        name,
        _first_sentence(min(files, key=lambda file: (file.name != "__init__.py", len(file.parts)))),
        tuple(sorted(imported - {name, ""})),
    )


def _file(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _first_sentence(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ")


def reduced(rooms: Iterable[CodeRoom]) -> tuple[tuple[str, str], ...]:
    """The imports that follow from no others: an arrow is left out where a longer way leads there too."""
    direct = {room.name: set(room.imports) for room in rooms}

    def reached(name: str, seen: set[str]) -> set[str]:
        for other in direct.get(name, set()) - seen:
            seen.add(other)
            reached(other, seen)
        return seen

    return tuple(
        (name, other)
        for name, others in direct.items()
        for other in sorted(others)
        if not any(other in reached(between, set()) for between in others - {other})
    )


def drawing(rooms: Sequence[CodeRoom], layers: Sequence[Sequence[str]]) -> str:
    """The rooms on their floors as an SVG, each arrow from the room that imports to the one imported."""
    widest = max(len(layer) for layer in layers)
    width = 2 * MARGIN + widest * BOX_WIDTH + (widest - 1) * GAP
    places: dict[str, tuple[float, float]] = {}
    for row, layer in enumerate(layers):
        row_width = len(layer) * BOX_WIDTH + (len(layer) - 1) * GAP
        # Every second floor is shifted, so that an arrow past a floor seldom runs through a box.
        left = (width - row_width) / 2 + (BOX_WIDTH + GAP) / 4 * (-1 if row % 2 else 1)
        for column, name in enumerate(layer):
            places[name] = (left + column * (BOX_WIDTH + GAP), MARGIN + row * FLOOR_HEIGHT)
    height = 2 * MARGIN + (len(layers) - 1) * FLOOR_HEIGHT + BOX_HEIGHT
    arrows = [
        _arrow(places[upper], places[lower])
        for upper, lower in reduced(rooms)
        if upper in places and lower in places
    ]
    boxes = [_box(name, *place) for name, place in places.items()]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            'aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="14">',
            '  <title id="title">The rooms of payinfra</title>',
            '  <desc id="desc">Each box is a room. Arrows lead from a room to those that it imports; those '
            "that follow from others are left out. All lead down.</desc>",
            '  <defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0 10 5 0 10z" fill="#475569"/></marker></defs>',
            f'  <rect width="{width}" height="{height}" fill="#ffffff"/>',
            *arrows,
            *boxes,
            "</svg>\n",
        ]
    )


def _arrow(upper: tuple[float, float], lower: tuple[float, float]) -> str:
    x1, y1 = upper[0] + BOX_WIDTH / 2, upper[1] + BOX_HEIGHT
    x2, y2 = lower[0] + BOX_WIDTH / 2, lower[1]
    middle = (y1 + y2) / 2
    return (
        f'  <path d="M{x1:.0f} {y1:.0f}C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} {y2:.0f}" '
        'fill="none" stroke="#475569" stroke-width="1.2" marker-end="url(#arrow)"/>'
    )


def _box(name: str, x: float, y: float) -> str:
    return (
        f'  <rect x="{x:.0f}" y="{y:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" fill="#e2e8f0" '
        f'stroke="#475569"/><text x="{x + BOX_WIDTH / 2:.0f}" y="{y + 25:.0f}" text-anchor="middle" '
        f'fill="#0f172a">{escape(name)}</text>'
    )


def page(rooms: Sequence[CodeRoom], layers: Sequence[Sequence[str]]) -> str:
    """docs/rooms.md: the drawing, and what each room owns, may import and does import."""
    floor_of = {name: row for row, layer in enumerate(layers) for name in layer}
    edges = sum(len(room.imports) for room in rooms)
    lines = [
        "# Rooms\n",
        "![The rooms of payinfra on their floors](assets/rooms.svg)\n",
        f"{len(rooms)} rooms on {len(layers)} floors, {edges} arrows between them, none upwards. "
        "A room may import the rooms of lower floors and nothing else; `make imports` holds that. The "
        "drawing leaves out arrows that follow from others; the table has all.\n",
        "| floor | room | owns | imports |",
        "|---|---|---|---|",
    ]
    for room in rooms:
        floor = str(floor_of[room.name] + 1) if room.name in floor_of else "apart"
        lines.append(
            f"| {floor} | `{room.name}` | {_cell(room.owns)} | {', '.join(room.imports) or 'none'} |"
        )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def pages() -> Mapping[str, str]:
    """The generated files by their names below docs/."""
    rooms, layers = read(), floors()
    return {"rooms.md": page(rooms, layers), "assets/rooms.svg": drawing(rooms, layers)}
