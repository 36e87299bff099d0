"""Pages that stand alone: everything a page loads is a file beside it, and every link inside the book has an end.

Reads the HTML and CSS as text, so it needs no browser. Run alone: ``python book/check_pages.py build/book``.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_URL = re.compile(r"""url\(\s*['"]?([^'")]+)['"]?\s*\)""")
_IMPORT = re.compile(r"""@import\s+(?:url\()?\s*['"]?([^'");]+)""")
_LOADED = {"script": "src", "img": "src", "iframe": "src", "audio": "src", "video": "src", "source": "src",
           "embed": "src", "track": "src", "input": "src", "object": "data", "image": "href", "use": "href"}
_LINKS_THAT_LOAD = {"stylesheet", "icon", "shortcut", "preload", "modulepreload", "prefetch", "manifest",
                    "preconnect", "dns-prefetch", "apple-touch-icon", "mask-icon"}


class _Page(HTMLParser):
    """What a page loads, what it links to, and the places in it that can be linked to."""

    def __init__(self, source: str):
        super().__init__(convert_charrefs=True)
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self._in_style = False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.update(given[name] for name in ("id", "name") if name in given)
        self._in_style = tag == "style"
        if given.get(_LOADED.get(tag, "")):
            self.loads.append(given[_LOADED[tag]])
        if tag == "link" and _LINKS_THAT_LOAD & set(given.get("rel", "").lower().split()):
            self.loads.append(given.get("href", ""))
        if "srcset" in given:
            self.loads += [part.split()[0] for part in given["srcset"].split(",") if part.strip()]
        if tag == "video" and "poster" in given:
            self.loads.append(given["poster"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.loads += _URL.findall(given.get("style", ""))

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.loads += _URL.findall(data) + _IMPORT.findall(data)


def problems(book: Path) -> list[str]:
    """Return what would make a page of ``book`` ask the network, or miss a file, when opened from disk."""
    book = Path(book).resolve()
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(book.rglob("*.html"))
             if "_static" not in path.relative_to(book).parts}
    if not pages:
        return [f"{book}: holds no page."]
    found = [f"{path.relative_to(book)}: {said}" for path, page in pages.items()
             for said in [*(_missing(path, target) for target in page.loads),
                          *(_dead_end(path, target, pages) for target in page.links)] if said]
    for sheet in sorted(book.rglob("*.css")):
        text = sheet.read_text(encoding="utf-8")
        for target in _URL.findall(text) + _IMPORT.findall(text):
            if said := _missing(sheet, target):
                found.append(f"{sheet.relative_to(book)}: {said}")
    return list(dict.fromkeys(found))


def _missing(page: Path, target: str) -> str:
    parts = urlsplit(target)
    if parts.scheme == "data" or target.startswith(("#", "%23")) or not target:
        return ""
    if parts.scheme or parts.netloc:
        return f"loads {target[:100]} from outside"
    return "" if _file(page, parts.path).is_file() else f"loads {target}, which is not there"


def _dead_end(page: Path, target: str, pages: dict[Path, _Page]) -> str:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:                           # followed only when the reader asks for it
        return ""
    file = _file(page, parts.path) if parts.path else page
    if not file.exists():
        return f"links to {target}, which is not there"
    anchor = unquote(parts.fragment)
    if anchor and file in pages and anchor not in pages[file].anchors:
        return f"links to {target}, but that page has no such place"
    return ""


def _file(page: Path, path: str) -> Path:
    return (page.parent / unquote(path)).resolve()


def main(arguments: list[str]) -> int:
    found = problems(Path(arguments[0]))
    for line in found:
        print(line, file=sys.stderr)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
