"""Lines as long as real ones: the sentences of the docstrings of Python's own library, as made-up token ids."""

import ast
import re
import sysconfig
from pathlib import Path

SHORTEST, LONGEST = 4, 120


def lengths(count):
    """How many tokens each of `count` sentences has, a token standing for up to five letters of a word."""
    found = []
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            for sentence in re.split(r"(?<=[.!?])\s+|\n\n", ast.get_docstring(node) or ""):
                tokens = sum(-(-len(word) // 5) for word in re.findall(r"\w+|[^\w\s]", sentence))
                if SHORTEST <= tokens <= LONGEST:
                    found.append(tokens)
    # Evenly from all files, so that they come in no order.
    step = len(found) / count
    return [found[int(place * step)] for place in range(count)]
