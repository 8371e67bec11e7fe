"""SVG as matplotlib writes it, made small: it shows the same, text stays text.

A report holds every figure of every cohort, and most bytes of a figure were styles said again at
every mark, numbers with six decimals, names that nothing refers to, and heatmaps as 32-bit pixels.
"""

from __future__ import annotations

import base64
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count, groupby
from string import ascii_lowercase
from xml.etree import ElementTree

import numpy as np

Element = ElementTree.Element

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_LINK = f"{{{_XLINK}}}href"
_TOKEN = re.compile(r"[A-Za-z]|-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")
_REFERENCE = re.compile(r"url\(#([^)]+)\)|^#(.+)$")
_NUMBER = re.compile(r"-?\d+\.\d+")
_PNG = "data:image/png;base64,"
#: Numbers of a path after each command that matplotlib writes.
_SIZES = {"M": 2, "L": 2, "Q": 4, "C": 6, "Z": 0}
#: A style with this word does not mean the same on a group: these properties are not inherited.
_OWN = re.compile(r"(?:^|;)\s*(?:opacity|clip-path|mask|filter|display)\s*:")
#: Pixels of a cell of a heatmap, in either direction.
PIXELS_OF_CELL = 4
#: A shape is drawn from one definition where that saves more than its definition costs.
_LEAST_SAVED = 200


def slim_svg(text: str, page: int = 0) -> str:
    """Write an SVG of matplotlib with fewer bytes.

    `page` is the number of the page where several stand in one SVG: its names are no other's.

    Coordinates are rounded to a hundredth of a point, styles become classes, marks in a row that
    share one are grouped, a shape that returns is defined once, heatmaps have few pixels a cell out
    of a palette, and metadata and names that nothing refers to are left out.

    Examples
    --------
    >>> slim_svg('<svg xmlns="http://www.w3.org/2000/svg"><g id="a"><path d="M 1.00049 2 \\n'
    ...          'L 3.5 2 \\nL 3.5 4.25 \\nz\\n"/></g></svg>')
    '<svg xmlns="http://www.w3.org/2000/svg"><path d="M1 2h2.5v2.25z"/></svg>\\n'
    """
    root = ElementTree.fromstring(text)
    _drop_what_shows_nothing(root)
    for element in root.iter():
        _round(element)
    _share_shapes(root)
    _name_shortly(root, page)
    classes = _styles_to_classes(root, page)
    _flatten(root)
    _gather(root, "clip-path", lambda value, members: len(members) > 1)
    for group in [*root.iter(f"{{{_SVG}}}g"), root]:
        _gather(group, "class", lambda value, members: _shared(classes[value], members))
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    written = ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
    return written.replace(" />", "/>") + "\n"


def _shared(style: str, members: list[Element]) -> bool:
    return len(members) > 2 and not _OWN.search(style)


def _children(root: Element) -> Iterator[tuple[Element, Element]]:
    for parent in root.iter():
        for child in list(parent):
            yield parent, child


def _drop_what_shows_nothing(root: Element) -> None:
    """Metadata, blanks between elements, document types, and names that nothing refers to."""
    for parent, child in list(_children(root)):
        if child.tag == f"{{{_SVG}}}metadata":
            parent.remove(child)
    for element in root.iter():
        element.tail = None
        if element.tag not in {f"{{{_SVG}}}{name}" for name in ("text", "tspan", "style", "title")}:
            element.text = None
    used = {name for element in root.iter() for name in _references(element)}
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
    root.attrib.pop("version", None)


def _references(element: Element) -> list[str]:
    found = []
    for value in element.attrib.values():
        for match in _REFERENCE.finditer(value) if "#" in value else ():
            found.append(match[1] or match[2])
    return found


# ---------------------------------------------------------------- numbers


def _short(value: int) -> str:
    """Write hundredths as the shortest number."""
    text = f"{abs(value) // 100}.{abs(value) % 100:02d}".rstrip("0").rstrip(".")
    return ("-" if value < 0 else "") + (text.removeprefix("0") or "0")


def _hundredths(text: str) -> int:
    return round(float(text) * 100)


def _rounded(text: str) -> str:
    return _NUMBER.sub(lambda match: _short(_hundredths(match[0])), text)


def _round(element: Element) -> None:
    """Round the coordinates of an element, and drop what turns or moves nothing."""
    attributes = element.attrib
    if "d" in attributes:
        attributes["d"] = _path(attributes["d"])
    for name in ("x", "y", "width", "height", "viewBox", "r", "cx", "cy"):
        if name in attributes:
            attributes[name] = _rounded(attributes[name])
    if "transform" in attributes:
        attributes["transform"] = _rounded(attributes["transform"])
        _move(element)
    if attributes.get(_LINK, "").startswith(_PNG):
        _fewer_pixels(element)


def _move(element: Element) -> None:
    """Write a text that is only moved or not turned at all with its place alone."""
    attributes = element.attrib
    if element.tag != f"{{{_SVG}}}text":
        return
    if re.match(r"rotate\(-?0 ", attributes["transform"]):
        del attributes["transform"]
    elif match := re.fullmatch(r"translate\(([^ ]+) ([^ ]+)\)", attributes["transform"]):
        if not attributes.keys() & {"x", "y"}:
            del attributes["transform"]
            attributes["x"], attributes["y"] = match[1], match[2]


def _path(text: str) -> str:
    """Write a path with steps from point to point, in hundredths that do not add up to an error."""
    tokens = _TOKEN.findall(text)
    if {token for token in tokens if token.isalpha()} - {"M", "L", "Q", "C", "z", "Z"}:
        return text
    parts: list[tuple[str, list[int]]] = []
    here, start, position = (0, 0), (0, 0), 0
    while position < len(tokens):
        command = tokens[position].upper()
        size = _SIZES[command]
        numbers = [_hundredths(token) for token in tokens[position + 1 : position + 1 + size]]
        position += 1 + size
        if command == "Z":
            parts.append(("z", []))
            here = start
            continue
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        if command == "M":
            start = points[0]
            first = not parts
            step = points[0] if first else (points[0][0] - here[0], points[0][1] - here[1])
            parts.append(("M" if first else "m", list(step)))
        else:
            steps = [value for x, y in points for value in (x - here[0], y - here[1])]
            if command == "L" and steps[1] == 0:
                parts.append(("h", steps[:1]))
            elif command == "L" and steps[0] == 0:
                parts.append(("v", steps[1:]))
            else:
                parts.append((command.lower(), steps))
        here = points[-1]
    return _joined(_closed(parts))


def _closed(parts: list[tuple[str, list[int]]]) -> list[tuple[str, list[int]]]:
    """Leave out the line back to the start where the path is closed anyway."""
    kept: list[tuple[str, list[int]]] = []
    way = [0, 0]
    for command, numbers in parts:
        if command in "Mm":
            way = [0, 0]
        elif command == "z" and kept and kept[-1][0] in "hvl" and way == [0, 0]:
            kept.pop()
        elif command in "hv":
            way["hv".index(command)] += numbers[0]
        elif numbers:
            way = [way[0] + numbers[-2], way[1] + numbers[-1]]
        kept.append((command, numbers))
    return kept


def _joined(parts: list[tuple[str, list[int]]]) -> str:
    """Write commands and numbers with the fewest signs between them."""
    written, last, before = [], "", ""
    for command, numbers in parts:
        if command != last or command in "Mmz":
            written.append(command)
            before = command
        for number in numbers:
            text = _short(number)
            # A sign, and a point after a number that has one, start a new number by themselves.
            apart = before[-1].isalpha() or text[0] == "-" or (text[0] == "." and "." in before)
            written.append(text if apart else f" {text}")
            before = text
        last = command
    return "".join(written)


# ---------------------------------------------------------------- pixels


def _fewer_pixels(element: Element) -> None:
    """Pack a picture anew: cells with as few pixels as show them, out of a palette where that does.

    matplotlib draws the cells of a heatmap in the pixels of the printed page.
    """
    from PIL import Image

    packed = element.attrib[_LINK].removeprefix(_PNG)
    image: Image.Image = Image.open(io.BytesIO(base64.b64decode(packed)))
    if image.mode not in ("RGB", "RGBA"):
        return
    # A number for each dot: one comparison instead of four, and the order of its four bytes.
    pixels = np.asarray(image.convert("RGBA")).view(">u4")[..., 0].astype("=u4")
    down, across = (_runs(lines) for lines in (pixels, pixels.T))
    as_cells = [_cells(*runs) for runs in (down, across)]
    if as_cells[0] and as_cells[1]:
        down, across = as_cells[0], as_cells[1]
        element.set("style", "image-rendering:pixelated")
        # The cells have another shape than their pixels.
        element.set("preserveAspectRatio", "none")
    cells = pixels[down[0]][:, across[0]]
    found, places = np.unique(cells, return_inverse=True)
    colours = found.astype(">u4").view(np.uint8).reshape(-1, 4)
    places = places.reshape(cells.shape)
    opaque = bool((colours[:, 3] == 255).all())
    if opaque and len(colours) <= 256:
        places = places.astype(np.uint8)
        image = Image.fromarray(places.repeat(down[1], axis=0).repeat(across[1], axis=1))
        image.putpalette(colours[:, :3].tobytes())
    else:
        whole = colours[:, : 3 if opaque else 4][places]
        image = Image.fromarray(whole.repeat(down[1], axis=0).repeat(across[1], axis=1))
    written = io.BytesIO()
    image.save(written, format="png", optimize=True)
    element.set(_LINK, _PNG + base64.b64encode(written.getvalue()).decode("ascii"))


#: Where the runs of like lines of pixels start, and how long they are.
_Runs = tuple[np.ndarray, np.ndarray]


def _runs(lines: np.ndarray) -> _Runs:
    """Find lines of pixels that stand in a row, so that cells of a heatmap are seen once."""
    new = (lines[1:] != lines[:-1]).any(axis=1)
    starts = np.flatnonzero(np.concatenate([[True], new]))
    return starts, np.diff([*starts, len(lines)])


def _cells(starts: np.ndarray, lengths: np.ndarray) -> _Runs | None:
    """Give every cell the same few pixels, where all runs are whole numbers of cells.

    Several pixels, so that a viewer that smooths between them blurs the edge of a cell alone.
    """
    whole = int(lengths.sum())
    # Between two cells matplotlib sometimes leaves a line that is of neither.
    lines = lengths > 1
    if lines.sum() < 0.8 * len(lines):
        return None
    starts, ends = starts[lines], np.concatenate([[0], starts[lines][1:], [whole]])
    # Cells end between pixels, so that drawn ones are wider or narrower, at the edge the most.
    least = np.diff(ends).min()
    errors = {
        count: np.abs(np.rint(ends * count / whole) * whole / count - ends).max()
        for count in range(max(1, int(whole / (least + 2))), round(whole / least) + 1)
    }
    count = min(errors, key=errors.__getitem__)
    if whole / count <= PIXELS_OF_CELL + 1 or errors[count] > 1.5:
        return None
    steps = np.rint(ends * count / whole)
    return starts, np.diff(steps).astype(int) * PIXELS_OF_CELL


# ---------------------------------------------------------------- shapes


def _share_shapes(root: Element) -> None:
    """Define a shape once that returns at other places, if that saves something."""
    shapes: dict[str, list[Element]] = {}
    defined = {id(child) for parent in root.iter(f"{{{_SVG}}}defs") for child in parent.iter()}
    for element in root.iter(f"{{{_SVG}}}path"):
        if id(element) not in defined and "transform" not in element.attrib:
            match = re.match(r"M(-?[\d.]+)[ ]?(-?[\d.]+)(.*)", element.get("d", ""))
            if match and match[3]:
                shapes.setdefault(match[3], []).append(element)
    names = (f"shape{i}" for i in count())
    definitions = Element(f"{{{_SVG}}}defs")
    for shape, elements in shapes.items():
        # What a use costs more than the beginning of a path, and the definition once.
        if len(elements) * (len(shape) - 34) < len(shape) + _LEAST_SAVED:
            continue
        name = next(names)
        definition = {"id": name, "d": f"M0 0{shape}"}
        ElementTree.SubElement(definitions, f"{{{_SVG}}}path", definition)
        for element in elements:
            place = re.match(r"M(-?[\d.]*?)[ ]?(-?\d*\.?\d*)(?=[a-z])", element.attrib.pop("d"))
            assert place is not None
            element.tag = f"{{{_SVG}}}use"
            element.set(_LINK, f"#{name}")
            element.set("x", place[1])
            element.set("y", place[2])
    if len(definitions):
        root.insert(0, definitions)


# ---------------------------------------------------------------- names, styles and groups


def _short_names(page: int) -> Iterator[str]:
    for number in count():
        high, low = divmod(number, 26)
        name = (ascii_lowercase[high - 1] if high else "") + ascii_lowercase[low]
        yield f"{name}{page or ''}"


def _name_shortly(root: Element, page: int) -> None:
    """Give what is referred to a short name; what is defined twice is defined once."""
    names = _short_names(page)
    found: dict[str, str] = {}
    short: dict[str, str] = {}
    for parent, element in list(_children(root)):
        if (name := element.attrib.pop("id", None)) is None:
            continue
        looks = ElementTree.tostring(element, encoding="unicode")
        if looks in found and parent.tag == f"{{{_SVG}}}defs":
            parent.remove(element)
        else:
            found.setdefault(looks, next(names))
            element.set("id", found[looks])
        short[name] = found[looks]
    for element in root.iter():
        for key, value in element.attrib.items():
            if "#" in value and key != "style":
                element.set(key, _renamed(value, short))
            elif "url(#" in value:
                element.set(key, _renamed(value, short))


def _renamed(value: str, short: dict[str, str]) -> str:
    def name(match: re.Match[str]) -> str:
        old = match[1] or match[2]
        return match[0].replace(old, short.get(old, old))

    return _REFERENCE.sub(name, value)


def _flatten(root: Element) -> None:
    """Take out groups and definitions that say nothing, from the innermost outwards."""
    for child in list(root):
        _flatten(child)
    kept: list[Element] = []
    for child in root:
        empty = child.tag in (f"{{{_SVG}}}g", f"{{{_SVG}}}defs") and not len(child)
        plain = child.tag == f"{{{_SVG}}}g" and not child.attrib
        kept += [] if empty else list(child) if plain else [child]
    root[:] = kept


def _styles_to_classes(root: Element, page: int) -> dict[str, str]:
    """Write styles that return as classes; give the style of every class."""
    styles = Counter(
        element.attrib["style"] for element in root.iter() if "style" in element.attrib
    )
    often = [style for style, times in styles.most_common() if times > 1]
    names = dict(zip(often, _short_names(page), strict=False))
    for element in root.iter():
        if (style := element.get("style")) in names:
            del element.attrib["style"]
            element.set("class", names[style])
        elif style is not None:
            element.set("style", _compact(style))
    for parent, sheet in list(_children(root)):
        if sheet.tag == f"{{{_SVG}}}style":
            # Said of every element, a style could not be said of a group.
            if match := re.fullmatch(r"\s*\*\s*\{(.*)\}\s*", sheet.text or ""):
                root.set("style", _compact(match[1]))
            parent.remove(sheet)
    if names:
        sheet = Element(f"{{{_SVG}}}style")
        sheet.text = "".join(f".{name}{{{_compact(style)}}}" for style, name in names.items())
        root.insert(0, sheet)
    return {name: style for style, name in names.items()}


def _compact(style: str) -> str:
    return re.sub(r"\s*([:;,])\s*", r"\1", style)


def _gather(parent: Element, attribute: str, worth: Callable[[str, list[Element]], bool]) -> None:
    """Put neighbours that share an attribute into one group, or onto the group they fill."""
    gathered: list[Element] = []
    for value, run in groupby(parent, key=lambda child: _value(child, attribute)):
        members = list(run)
        if value is None or not worth(value, members):
            gathered += members
            continue
        group = Element(f"{{{_SVG}}}g", {attribute: value})
        for member in members:
            del member.attrib[attribute]
        for member in members:
            bare = member.tag == f"{{{_SVG}}}g" and not member.attrib
            group.extend(list(member) if bare else [member])
        gathered.append(group)
    only = gathered[0] if len(gathered) == 1 else None
    if only is not None and only.tag == parent.tag and attribute not in parent.attrib:
        parent.attrib |= only.attrib
        gathered = list(only)
    parent[:] = gathered


def _value(element: Element, attribute: str) -> str | None:
    """Read an attribute that may move to a group; a place that is moved clips elsewhere."""
    return None if "transform" in element.attrib else element.get(attribute)
