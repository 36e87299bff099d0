"""Build the book: executed notebooks and pages in, self-contained HTML out. Called by ``make book``.

Nothing is run here. The notebooks were run by ``rppg run``; this puts them beside the pages in build/book-src, has
Jupyter Book turn them into HTML with every warning an error, checks that the pages need nothing from outside, and
puts them in build/book in one move: an interrupted build leaves the former book as it was.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import yaml
from check_pages import problems
from generated import exercise_table, notebook_map, published_tables, results_page, run_times_page
from prepare import BookError, check_run, prepare, read_executed, title

BOOK = Path(__file__).resolve().parent
STAMP = ".made-from"
_KEPT = (".md", ".bib", ".yml", ".css", ".png", ".svg")
# What the theme adds to every page, and a page opened from disk stumbles over: fonts loaded ahead, which a browser
# refuses there (the style sheet loads them anyway), and scripts that run cells on a server that does not exist.
_NEVER_USED = (
    re.compile(r'<link rel="preload" as="font"[^>]*>\n?'),
    re.compile(r"<script>const THEBE_JS_URL[^<]*</script>\n?"),
    re.compile(r'<script type="text/x-thebe-config">.*?</script>\n?', re.DOTALL),
    re.compile(r'<script>kernelName = [^<]*</script>\n?'),
    re.compile(r'<script[^>]*src="[^"]*sphinx-thebe\.js[^"]*"></script>\n?'),
    re.compile(r'<link[^>]*href="[^"]*sphinx-thebe\.css[^"]*"[^>]*>\n?'),
)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def build(root: Path, out: Path, *, book: Path = BOOK) -> str:
    """Build the book of the project at ``root`` into ``out/book``; return one line that says what was done."""
    began = time.monotonic()
    source, target = out / "book-src", out / "book"
    assemble(root, out, source, book=book)
    stamp = fingerprint(source)
    done = target / STAMP
    where = f"Open {(target / 'index.html').resolve().as_uri()}"
    if done.is_file() and done.read_text() == stamp:
        return f"book: nothing has changed. {where}"
    part = out / "book.part"
    shutil.rmtree(part, ignore_errors=True)
    run_jupyter_book(source, part, log=out / "book.log")
    html = part / "_build" / "html"
    tidy(html)
    if found := problems(html):
        raise BookError("book: pages must need nothing from outside and have no dead ends:\n  " + "\n  ".join(found))
    (html / STAMP).write_text(stamp)
    swap(html, target)
    shutil.rmtree(part, ignore_errors=True)
    pages = sum("_static" not in page.parts for page in target.rglob("*.html"))
    return f"book: {pages} pages in {time.monotonic() - began:.0f} s. {where}"


def assemble(root: Path, out: Path, source: Path, *, book: Path = BOOK) -> None:
    """Put everything the book is made of into ``source``."""
    shutil.rmtree(source, ignore_errors=True)
    for path in sorted(book.rglob("*")):
        if path.suffix in _KEPT and path.is_file():
            _copy(path, source / path.relative_to(book))
    notebooks, results = {}, []
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        executed = read_executed(path, out / "notebooks" / path.name)
        results += check_run(path, executed, out)
        notebooks[path] = prepare(executed)
        (source / "notebooks").mkdir(parents=True, exist_ok=True)
        nbformat.write(notebooks[path], source / "notebooks" / path.name)
    for path in results:
        _copy(path, source / "results" / path.name)            # the tables' files can be fetched from the page
    plan = yaml.safe_load((source / "plan.yml").read_text(encoding="utf-8"))
    texts = {path.stem: [cell.source for cell in notebook.cells] for path, notebook in notebooks.items()}
    pages = {"notebook-map.md": notebook_map(plan, {path.stem: title(copy) for path, copy in notebooks.items()}),
             "exercise-table.md": exercise_table(texts), "published-tables.md": published_tables(),
             "results.md": results_page(source / "results"), "run-times.md": run_times_page(out / "run_times.json")}
    for name, text in pages.items():
        (source / name).write_text(text, encoding="utf-8")
    toc = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))
    toc["parts"] = [part for part in toc["parts"] if _expand(part, source)]
    (source / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")
    _copy(mathjax(), source / "assets" / "mathjax" / "tex-svg-full.js")


def _expand(entry: dict, source: Path) -> bool:
    """Replace every glob below ``entry`` by the pages it stands for; return whether any page is left."""
    for key in ("chapters", "sections"):
        if key not in entry:
            continue
        pages = []
        for child in entry[key]:
            if "glob" in child:
                found = {path.relative_to(source).with_suffix("").as_posix() for path in source.glob(child["glob"])}
                pages += [{"file": page} for page in sorted(found) if not page.endswith("/index")]
            elif _expand(child, source) or "file" in child:
                pages.append(child)
        entry.update({key: pages})
        if not pages:
            del entry[key]
    return any(key in entry for key in ("chapters", "sections"))


def mathjax() -> Path:
    """Return the installed MathJax, in one file with all it needs."""
    try:
        files = importlib.metadata.files("sphinx-mathjax-offline") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "tex-svg-full.js":
            return Path(file.locate())
    raise BookError("book: MathJax is not installed. Run: pip install 'rppg-lib[book]'")


def fingerprint(source: Path) -> str:
    """Return a digest of everything the HTML depends on: the assembled pages and the tools that turn them."""
    digest = hashlib.sha256()
    for name in ("jupyter-book", "sphinx", "sphinx-book-theme", "myst-nb", "pydata-sphinx-theme"):
        digest.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    code = [path.relative_to(BOOK.parent) for path in sorted(BOOK.glob("*.py"))]
    pages = [path.relative_to(source) for path in sorted(source.rglob("*")) if path.is_file()]
    for folder, path in [*((BOOK.parent, path) for path in code), *((source, path) for path in pages)]:
        digest.update(f"{path.as_posix()}\0".encode())
        digest.update((folder / path).read_bytes())
    return digest.hexdigest()


def run_jupyter_book(source: Path, part: Path, *, log: Path) -> None:
    """Turn ``source`` into HTML below ``part``; warnings are errors, shown together with the place they come from."""
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(source),
               "--path-output", str(part), "-W", "-n", "--keep-going"]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONUTF8": "1", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", env=environment)
    text = _ANSI.sub("", done.stdout + done.stderr)
    log.write_text(text, encoding="utf-8")
    if done.returncode or not (part / "_build" / "html" / "index.html").is_file():
        said = [line.replace(str(source) + os.sep, "") for line in text.splitlines()
                if re.search(r"\b(WARNING|ERROR|CRITICAL|Error)\b", line)]
        raise BookError("book: Jupyter Book found:\n  " + "\n  ".join(dict.fromkeys(said or text.splitlines()[-15:]))
                        + f"\nThe whole output is in {log}.")


def tidy(html: Path) -> None:
    """Take out of every page what cannot work in a page without a server."""
    for page in html.rglob("*.html"):
        text = whole = page.read_text(encoding="utf-8")
        for pattern in _NEVER_USED:
            text = pattern.sub("", text)
        if text != whole:
            page.write_text(text, encoding="utf-8")


def swap(new: Path, target: Path) -> None:
    """Put the folder ``new`` in the place of ``target``."""
    old = target.with_name(target.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def main() -> int:
    from rppg_lib.files import output_dir

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=output_dir(), help="folder of the run; the book goes to OUT/book")
    out = parser.parse_args().out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    print("book: building", flush=True)
    try:
        print(build(BOOK.parent, out))
    except BookError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
