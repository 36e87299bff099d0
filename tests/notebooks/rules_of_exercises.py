"""Rules for exercises: stub, check, hints, solution, in this order and with one number; see :mod:`rules`."""

import ast
import importlib
import json
import re

from .rules import numbered, tags, trees

LABEL = re.compile(r"def (?P<name>\w+)\(.*\).*: +# "
                   r"(?P<label>Exercise (?P<number>\d+\.\d+)  (?P<stars>★{1,3}☆{0,2})  \d+ min)")

FOLDED = {"source_hidden": True, "outputs_hidden": True}


def exercises_are_complete(notebook, stem):
    problems, expected, k = [], 1, 0
    cells = notebook.cells
    while k < len(cells):
        kind = next((tag for tag in ("exercise", "check", "hint", "solution") if tag in tags(cells[k])), None)
        if kind is None:
            k += 1
            continue
        if kind != "exercise":
            problems.append(f"cell {k + 1}: a {kind} that belongs to no exercise")
            k += 1
            continue
        length, found = _one_exercise(cells, k, f"{int(stem[:2])}.{expected}")
        problems += found
        expected, k = expected + 1, k + length
    return problems


def _one_exercise(cells, k, number):
    """Return how many cells the exercise at index k has, and its problems."""
    label = LABEL.match(cells[k].source)
    if not label:
        return 1, [f"cell {k + 1}: the stub must begin like: def my_name(x):    # Exercise {number}  ★★☆  10 min"]
    problems, at = [], k + 1
    if label["number"] != number:
        problems.append(f"cell {k + 1}: is exercise {label['number']}, should be {number}")
    if len(label["stars"]) != 3:
        problems.append(f"cell {k + 1}: of three stars some are filled: ★☆☆, ★★☆ or ★★★")
    if not _is_stub(cells[k].source):
        problems.append(f"cell {k + 1}: the stub must do nothing but raise NotImplementedError")
    before = "\n".join(cell.source for cell in cells[:k] if cell.cell_type == "markdown")
    if not re.search(rf"^###? Exercise {number}\b", before, re.MULTILINE):
        problems.append(f"cell {k + 1}: the text before must have the heading '### Exercise {number}: ...'")
    for tag, kind, least in (("check", "code", 1), ("hint", "markdown", 1), ("solution", "code", 1)):
        first = at
        while at < len(cells) and tag in tags(cells[at]) and cells[at].cell_type == kind:
            at += 1
        if at - first < least:
            problems.append(f"cell {at + 1}: exercise {number} needs its {tag} here")
    return at - k, problems + _do_check(cells[k:at], k, label["name"])


def _is_stub(source):
    function, *more = ast.parse(source).body
    body = function.body if isinstance(function, ast.FunctionDef) else []
    return not more and [ast.unparse(line).removesuffix("()") for line in body] == ["raise NotImplementedError"]


def _do_check(cells, k, stub):
    problems = []
    by_tag = {tag: [cell.source for cell in cells if tag in tags(cell)] for tag in ("check", "hint", "solution")}
    if by_tag["check"] and not re.search(rf"\bcheck\.\w+\({stub}\)", by_tag["check"][0]):
        problems.append(f"cell {k + 2}: must check {stub}: check.name({stub})")
    solved = "\n".join(by_tag["solution"])
    if solved and not re.search(r"\bcheck\.\w+\(\w+\)\.must_be_right\(\)", solved):
        problems.append(f"cell {k + len(cells)}: the solution must check itself: check.name(solution).must_be_right()")
    if set(re.findall(r"\bcheck\.\w+", solved)) != set(re.findall(r"\bcheck\.\w+", "\n".join(by_tag["check"]))):
        problems.append(f"cell {k + len(cells)}: stub and solution must go through the same check")
    if re.search(rf"\b{stub}\b", solved):
        problems.append(f"cell {k + len(cells)}: the solution must not use the reader's answer")
    if by_tag["hint"] and "<details>" not in "".join(by_tag["hint"]):
        problems.append(f"cell {k + 3}: hints must be folded in <details>")
    return problems


def solutions_are_folded(notebook, stem):
    """JupyterLab folds input and output of cells whose metadata say so; the book needs only the tag."""
    return [f"cell {k}: the solution lies open in JupyterLab: its metadata need \"jupyter\": {json.dumps(FOLDED)}"
            for k, cell in numbered(notebook, "code", tag="solution") if cell.metadata.get("jupyter") != FOLDED]


def nothing_needs_an_answer(notebook, stem):
    """Cells after an exercise run whether or not it was solved: they use no name of stub or solution."""
    answers = {label["name"] for _, cell in numbered(notebook, tag="exercise") if (label := LABEL.match(cell.source))}
    for k, tree in trees(notebook):
        if "solution" in tags(notebook.cells[k - 1]):
            answers |= names_in(tree, ast.Store)
    answers -= {name for k, tree in trees(notebook) for name in names_in(tree, ast.Store)
                if not {"exercise", "solution"} & set(tags(notebook.cells[k - 1]))}
    return [f"cell {k}: uses {', '.join(sorted(used))} of an exercise" for k, tree in trees(notebook)
            if not {"exercise", "check", "solution"} & set(tags(notebook.cells[k - 1]))
            and (used := answers & names_in(tree, ast.Load))]


def exercises_match_their_checks(notebook, stem):
    """The checks that are called exist, with the number, stars and minutes that the stub states."""
    problems = []
    for k, cell in numbered(notebook, tag="exercise"):
        label = LABEL.match(cell.source)
        called = re.search(r"\bcheck\.(\w+)", notebook.cells[k].source if k < len(notebook.cells) else "")
        if not label or not called:
            continue                            # told by exercises_are_complete
        try:
            module = importlib.import_module(f"rppg_lib.teach.nb{stem[:2]}")
        except ModuleNotFoundError:
            return [f"there is no rppg_lib/teach/nb{stem[:2]}.py with the checks"]
        check = getattr(module, called[1], None)
        if check is None or check.label != label["label"]:
            problems.append(f"cell {k}: says {label['label']!r}, nb{stem[:2]}.{called[1]} is {check!r}")
    return problems


def minutes_add_up(notebook, stem):
    """The opening promises as many minutes for the exercises as their stubs do."""
    asked = sum(int(label[1]) for _, cell in numbered(notebook, tag="exercise")
                if (label := re.search(r"(\d+) min$", cell.source.splitlines()[0])))
    told = re.search(r"(\d+) more for the exercises", notebook.cells[0].source)
    if asked and told and int(told[1]) != asked:
        return [f"cell 1: {told[1]} minutes for the exercises are told, and their stubs make {asked}"]
    return []


def names_in(tree, context):
    """Names that a piece of code reads (ast.Load) or sets (ast.Store); functions count as set."""
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, context)}
    if context is ast.Store:
        found |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return found


RULES_OF_EXERCISES = [exercises_are_complete, minutes_add_up, solutions_are_folded, nothing_needs_an_answer,
                      exercises_match_their_checks]
