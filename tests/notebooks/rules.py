"""What a notebook must look like, each rule a function ``(notebook, stem) -> problems``; nothing is run.

A problem is one line that says where and what. ``RULES`` are those that every notebook has to keep; those about
exercises are in a file of their own.
"""

import ast
import re
import statistics

import nbformat

from rppg_lib.workbook.notebook import literals

from ..checkout import ROOT

FEW_LINES, MANY_LINES, MOST_LINES, LONG_CELLS = 6, 20, 30, 2
CODE_CELLS, WORDS = (25, 40), (2000, 3000)
SHORT = {"00_start_here"}                       # the one way through, without exercises

CELL_KEYS = {"tags", "alt", "jupyter"}
NOTEBOOK_KEYS = {"kernelspec", "language_info"}
TAGS = {"parameters", "exercise", "check", "solution", "hint", "slider", "hide-input", "raises-exception"}
CLOSING = ["What we saw", "Where this can fail", "What is next"]

NETWORK = {"requests", "urllib", "http", "httpx", "aiohttp", "ftplib", "socket", "huggingface_hub", "kaggle", "gdown"}
WRITES = {"savefig", "to_csv", "to_json", "to_parquet", "to_excel", "write_text", "write_bytes", "tofile", "savez",
          "savez_compressed", "savetxt", "savemat", "mkdir", "makedirs"}
ABSOLUTE = re.compile(r"""["'`(](?:~[\\/]|/[A-Za-z]\w*[/"'`)]|[A-Za-z]:[\\/])""")
COMMANDS = re.compile(r"^\s*(?:\w+ *= *)?[!%]\s*\w|\bget_ipython\(|\bos\.system\(|\bsubprocess\b")
FILTERS = re.compile(r"\b(?:filterwarnings|simplefilter|catch_warnings|seterr|errstate|disable_warnings)\b")
DRAWS = re.compile(r"\bplt\.(?:subplots|figure|plot|imshow)\b|\bplots\.plot_\w+\(")
ROLE = re.compile(r"\{\w+(?::\w+)?\}`[^`]+`")
CITES = re.compile(r"\]\(\.\./book/bibliography\.md#([^)]+)\)")
MARKDOWN_IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\(")
HTML_IMAGE = re.compile(r"<img\b[^>]*>")


def tags(cell):
    return cell.metadata.get("tags", [])


def numbered(notebook, kind=None, tag=None):
    """Return (number from 1, cell) of all cells of a kind, or with a tag."""
    return [(k, cell) for k, cell in enumerate(notebook.cells, start=1)
            if (kind is None or cell.cell_type == kind) and (tag is None or tag in tags(cell))]


def lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


def words(notebook):
    text = " ".join(re.sub(r"<[^>]+>", " ", cell.source) for _, cell in numbered(notebook, "markdown"))
    return len(re.findall(r"[^\W\d_][\w'’-]*", text))


def trees(notebook):
    """Return (number, syntax tree) of the code cells that can be read."""
    found = []
    for k, cell in numbered(notebook, "code"):
        try:
            found.append((k, ast.parse(cell.source)))
        except SyntaxError:
            continue                            # told by python_only
    return found


# The file

def is_valid(notebook, stem):
    problems = []
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        problems.append("has a format before 4.5, without cell ids: open and save it in JupyterLab")
    ids = [cell.get("id") for cell in notebook.cells]
    problems += [f"cell {k}: has no id" for k, one in enumerate(ids, start=1) if not one]
    problems += [f"cell {k}: has the id of an earlier cell" for k, one in enumerate(ids, start=1) if one in ids[:k - 1]]
    if problems:
        return problems                         # validate would mend them in passing
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        problems.append(f"is no valid notebook: {str(error).splitlines()[0]}")
    return problems


def is_stripped(notebook, stem):
    problems = [f"metadata: {key} is not needed: run nbstripout" for key in notebook.metadata.keys() - NOTEBOOK_KEYS]
    if "version" in notebook.metadata.get("language_info", {}):
        problems.append("metadata: the version of Python is noise: run nbstripout --extra-keys metadata.language_info")
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        problems.append("metadata: the kernel must be python3, which everybody has")
    for k, cell in numbered(notebook):
        noise = cell.metadata.keys() - CELL_KEYS
        problems += [f"cell {k}: metadata {key} is not needed: run nbstripout" for key in noise]
        problems += [f"cell {k}: there is no tag {tag!r}" for tag in tags(cell) if tag not in TAGS]
        if cell.get("outputs") or cell.get("execution_count") is not None or cell.get("attachments"):
            problems.append(f"cell {k}: holds an output, a number or an attachment: run nbstripout")
    return problems


def python_only(notebook, stem):
    problems = []
    for k, cell in numbered(notebook, "code"):
        if not cell.source.strip():
            problems.append(f"cell {k}: is empty")
        for line in cell.source.splitlines():
            if COMMANDS.search(line):
                problems.append(f"cell {k}: no commands in a notebook: {line.strip()}")
        try:
            ast.parse("\n".join(line for line in cell.source.splitlines() if not re.match(r"\s*[!%]", line)))
        except SyntaxError as error:
            problems.append(f"cell {k}, line {error.lineno}: {error.msg}")
    return problems


# Parameters

def has_parameters(notebook, stem):
    tagged = numbered(notebook, tag="parameters")
    if len(tagged) != 1 or tagged[0][1].cell_type != "code":
        return [f"needs exactly one cell of code tagged 'parameters', has {len(tagged)}"]
    (k, cell), problems = tagged[0], []
    if k != numbered(notebook, "code")[0][0]:
        problems.append(f"cell {k}: parameters must be the first code")
    try:
        if "profile" not in literals(cell.source, f"cell {k}"):
            problems.append(f"cell {k}: needs profile = \"quick\"")
    except ValueError as error:
        problems.append(str(error))
    problems += [f"cell {k}: say in a comment what this is: {line}" for line in lines(cell) if " # " not in line]
    return problems


# Text

def has_opening(notebook, stem):
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown":
        return ["must begin with a cell of text"]
    source, problems = first.source, []
    if not re.match(rf"# {stem[:2]} \S", source):
        problems.append(f"cell 1: must begin with '# {stem[:2]} Title'")
    for head in ("You will", "You need", "Time", "Produces"):
        if not re.search(rf"^> ?\*\*{head}\*\* \S", source, re.MULTILINE):
            problems.append(f"cell 1: the box must say '> **{head}** ...'")
    time = re.search(r"\*\*Time\*\*(.*?)(?:\n>\s*\n|\Z)", source, re.DOTALL)
    if time and not (re.search(r"minutes?\b.*\bread", time[1], re.DOTALL) and re.search(r"\bruns?\b", time[1])):
        problems.append("cell 1: Time must say how long it takes to read, and to run")
    if any(re.search(r"^# ", cell.source, re.MULTILINE) for _, cell in numbered(notebook, "markdown")[1:]):
        problems.append("has a second heading of the first order")
    return problems


def has_closing(notebook, stem):
    heads = [(k, head) for k, cell in numbered(notebook, "markdown")
             for head in re.findall(r"^## (.+)$", cell.source, re.MULTILINE)]
    if [head.strip() for _, head in heads][-3:] != CLOSING:
        return [f"must end with the sections {', '.join(CLOSING)}"]
    text = "\n".join(cell.source for _, cell in numbered(notebook, "markdown"))
    bodies = re.split(r"^## (?:" + "|".join(CLOSING) + r")[ ]*$", text, flags=re.MULTILINE)[-3:]
    return [f"says too little under {head!r}" for head, body in zip(CLOSING, bodies) if len(body.split()) < 8]


def cites_what_exists(notebook, stem, bibliography=None):
    if bibliography is None:
        bibliography = (ROOT / "book" / "refs.bib").read_text("utf-8")
    known = set(re.findall(r"^@\w+\{([^,\s]+)", bibliography, re.MULTILINE))
    return [f"cell {k}: {key} is not in book/refs.bib" for k, cell in numbered(notebook, "markdown")
            for key in CITES.findall(cell.source) if key not in known]


def reads_well_in_jupyterlab(notebook, stem):
    """Roles are the book's: JupyterLab shows their names. Of citations the build makes some again."""
    return [f"cell {k}: {role} shows raw in JupyterLab: write a link, of a citation "
            f"[Wang et al. 2017](../book/bibliography.md#wang2017pos)"
            for k, cell in numbered(notebook, "markdown") for role in ROLE.findall(cell.source)]


def links_to_what_exists(notebook, stem):
    return [f"cell {k}: there is no {target}" for k, cell in numbered(notebook, "markdown")
            for target in re.findall(r"\]\(([^)#\s]+)", cell.source)
            if not re.match(r"[a-z]+:", target) and not (ROOT / "notebooks" / target).exists()]


def pictures_have_words(notebook, stem):
    problems = []
    for k, cell in numbered(notebook, "markdown"):
        blank = [found for found in MARKDOWN_IMAGE.finditer(cell.source) if not found["alt"].strip()]
        blank += [found for found in HTML_IMAGE.findall(cell.source) if not re.search(r"""alt=["'][^"']""", found)]
        problems += [f"cell {k}: a picture without alt text"] * len(blank)
    for k, tree in trees(notebook):
        cell = notebook.cells[k - 1]
        run = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
        shown = "\n".join(map(ast.unparse, run))
        if "slider" in tags(cell):
            if "alt=" not in cell.source:
                problems.append(f"cell {k}: the slider needs alt=")
        elif DRAWS.search(shown) and len(cell.metadata.get("alt", "").split()) < 4:
            problems.append(f"cell {k}: draws a figure; its metadata need 'alt', a sentence that says what is seen")
    return problems


def faces_go_through_plots(notebook, stem):
    """Pictures of people are drawn by functions that leave a face out where its terms forbid to show it."""
    return [f"cell {k}: draw pictures of people with plots.plot_picture or plots.plot_look: they keep to the terms"
            for k, tree in trees(notebook) for node in ast.walk(tree)
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("imshow", "figimage", "imsave")
            and re.search(r"\.(frames|image)\b", " ".join(map(ast.unparse, node.args)))]


def sliders_have_twins(notebook, stem):
    """The figure that says the same without a slider is the next code."""
    codes = numbered(notebook, "code")
    following = dict(zip([k for k, _ in codes], [cell for _, cell in codes[1:]]))
    return [f"cell {k}: the next code must draw the same as a still figure"
            for k, cell in numbered(notebook, tag="slider")
            if k not in following or not following[k].metadata.get("alt")]


# Code

def stays_on_the_machine(notebook, stem):
    """No network, no path of one machine, no switched-off warnings; files through rppg_lib only."""
    problems = []
    for k, cell in numbered(notebook):
        if ABSOLUTE.search(cell.source):
            problems.append(f"cell {k}: an absolute path: {ABSOLUTE.search(cell.source)[0]}...")
    for k, cell in numbered(notebook, "code"):
        if FILTERS.search(cell.source):
            problems.append(f"cell {k}: warnings are to be heeded, not filtered")
        if re.search(r"(?:https?|ftp)://", re.sub(r"#.*", "", cell.source)):
            problems.append(f"cell {k}: an address in code: a notebook needs no network")
    for k, tree in trees(notebook):
        for node in ast.walk(tree):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            far = [module for module in modules if module.split(".")[0] in NETWORK]
            problems += [f"cell {k}: {module} is for the network" for module in far]
            if isinstance(node, ast.Call) and _writes(node.func):
                problems.append(f"cell {k}: files are written by rppg_lib, not by {ast.unparse(node.func)}")
    return problems


def _writes(function):
    if isinstance(function, ast.Attribute):
        numpy_save = function.attr == "save" and ast.unparse(function.value) in ("np", "numpy", "torch")
        return function.attr in WRITES or numpy_save
    return isinstance(function, ast.Name) and function.id == "open"


def saves_under_its_own_name(notebook, stem):
    problems, saved = [], False
    for k, tree in trees(notebook):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "results.save":
                saved = True
                name = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
                if name != stem:
                    problems.append(f"cell {k}: results.save must be called with {stem!r}, got {name!r}")
    if not saved and f"{stem}." in "".join(cell.source for cell in notebook.cells[:1]):
        problems.append("promises a results file and saves none")
    return problems


def keeps_cells_short(notebook, stem):
    sizes = {k: len(lines(cell)) for k, cell in numbered(notebook, "code")}
    problems = [f"cell {k}: {n} lines of code are more than {MOST_LINES}" for k, n in sizes.items() if n > MOST_LINES]
    listed = [k for k, _ in numbered(notebook, tag="parameters")]   # a list, which nobody has to follow
    long = [k for k, size in sizes.items() if size > MANY_LINES and k not in listed]
    if len(long) > LONG_CELLS:
        problems.append(f"cells {', '.join(map(str, long))}: more than {MANY_LINES} lines; {LONG_CELLS} cells may")
    if sizes and statistics.median_low(sizes.values()) > FEW_LINES:
        problems.append(f"more than half of the cells have more than {FEW_LINES} lines")
    return problems


def has_the_usual_length(notebook, stem):
    """Checks of exercises are one line and do not count."""
    if stem in SHORT:
        return []
    codes = sum("check" not in tags(cell) for _, cell in numbered(notebook, "code"))
    return [f"has {n} {what}, {low} to {high} are usual" for n, what, (low, high) in
            ((codes, "code cells", CODE_CELLS), (words(notebook), "words", WORDS)) if not low <= n <= high]


RULES = [is_valid, is_stripped, python_only, has_parameters, has_opening, has_closing, cites_what_exists,
         reads_well_in_jupyterlab, links_to_what_exists, faces_go_through_plots, pictures_have_words,
         sliders_have_twins, stays_on_the_machine, saves_under_its_own_name, keeps_cells_short, has_the_usual_length]
