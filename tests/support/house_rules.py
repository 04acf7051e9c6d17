#!/usr/bin/env python3
"""The house rules that a machine can check. Prints one line per broken rule and exits with 1 when there is one.

    house_rules.py             check the tree
    house_rules.py --self-test prove that each rule sees its violation

Rules: a file stays under 1,000 lines and a function under 70; every #include obeys the layer table (layers.py); headers
have #pragma once; and no path of one machine is written anywhere.

Functions are found by their braces, not by a parser: the sources are kept in clang-format's shape and use no macros that
hide braces, so this sees every function outside of functions. A lambda counts as part of the function it is in.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import layers
from source_files import ROOT, project_files

FILE_LINES_MAX = 999
FUNCTION_LINES_MAX = 69
CODE = (".cc", ".h")
TEXT = CODE + (".py", ".md", ".txt", ".cmake", ".json", ".sh", ".js", ".go", ".java", ".rs", ".toml", ".xml", ".mod", "dev")

LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^(\s]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|'
    r"(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])*'", re.DOTALL)
PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
NOT_A_FUNCTION = re.compile(r"^\s*(?:(?:inline|export|typedef|static|constexpr|template\s*<.*>)\s+)*"
                            r"(?:namespace|class|struct|union|enum|extern)\b(?!.*\)\s*$)", re.DOTALL)
FUNCTION_HEAD = re.compile(r"\)\s*(?:const|noexcept|override|final|mutable|&&?|\s|->[^;{}]*|requires[^;{}]*|"
                           r":\s[^;]*|try)*$", re.DOTALL)


def blank_out(text):
    """Comments, literals and preprocessor lines replaced by spaces, line breaks kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return PREPROCESSOR.sub(blank, LITERAL.sub(blank, text))


def functions(text):
    """(first line, number of lines, head) of every function body in a C++ source."""
    code = blank_out(text)
    found = []
    depth_of_function = None
    depth = 0
    opened_at = 0
    head = ""
    head_from = 0
    line = 1
    braces_of_value = 0
    for at, character in enumerate(code):
        if character == "\n":
            line += 1
        elif braces_of_value > 0:
            braces_of_value += {"{": 1, "}": -1}.get(character, 0)
        elif character == "{" and depth_of_function is None and re.match(r"[\w>]", code[at - 1]):
            braces_of_value = 1  # `member_{1}` of a constructor: a value, written without a blank before it
        elif character == "{":
            if depth_of_function is None:
                head = code[head_from:at].strip()
                if FUNCTION_HEAD.search(head) and not NOT_A_FUNCTION.match(head) and "=" not in head.split("(")[0]:
                    depth_of_function = depth
                    opened_at = line
            depth += 1
            head_from = at + 1
        elif character == "}":
            depth -= 1
            head_from = at + 1
            if depth_of_function == depth:
                depth_of_function = None
                found.append((opened_at, line - opened_at + 1, " ".join(head.split())))
        elif character == ";" and depth_of_function is None:
            head_from = at + 1
    return found


def long_files_and_functions(path, text):
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        yield f"{path}:1: {lines} lines; a file stays under {FILE_LINES_MAX + 1}"
    if path.endswith(CODE):
        for first, count, head in functions(text):
            if count > FUNCTION_LINES_MAX:
                yield f"{path}:{first}: a function of {count} lines ({head[-60:]}); at most {FUNCTION_LINES_MAX}"


def missing_guard(path, text):
    if path.endswith(".h") and "#pragma once" not in text:
        yield f"{path}:1: a header needs #pragma once"


def machine_paths(path, text, private_prefixes):
    pattern = re.compile("|".join([r"/home/[a-z][-a-z0-9_]*/"] + [re.escape(prefix) for prefix in private_prefixes]))
    for number, line in enumerate(text.splitlines(), start=1):
        match = pattern.search(line)
        if match:
            yield f"{path}:{number}: names a path of one machine: {match.group(0)}"


def private_prefixes():
    """The checkout's own folder and the home folder of whoever runs this, unless they are a root anybody has."""
    candidates = {str(ROOT), os.path.expanduser("~")}
    return sorted(f"{path}/" for path in candidates if path.count("/") >= 1 and path not in ("/", "/root", "/larder", "/src"))


def broken_rules(root, files):
    found = layers.violations(root, files)
    prefixes = private_prefixes()
    for path in files:
        if not path.endswith(TEXT):
            continue
        text = (Path(root) / path).read_text(encoding="utf-8", errors="replace")
        if path.endswith(CODE + (".py",)):
            found += long_files_and_functions(path, text)
        found += missing_guard(path, text)
        found += machine_paths(path, text, prefixes)
    return found


def self_test():
    body = "  work();\n" * FUNCTION_LINES_MAX
    samples = {
        "base/long_function.cc": (f"int f(int a) {{\n{body}}}\n", "a function of"),
        "base/long_member.cc": (f"C::C(int a)\n    : a_(a), b_{{1}} {{\n{body}}}\n", "a function of"),
        "base/long_file.cc": ("// line\n" * (FILE_LINES_MAX + 1), "stays under"),
        "base/no_guard.h": ("int f();\n", "#pragma once"),
        "base/path.cc": ("// see /home" + "/someone/notes\n", "path of one machine"),
        "storage/layer.cc": ('#include "server/core/context.h"\n', "may include only"),
    }
    innocent = f"namespace a {{\nstruct S {{\n{body}}};\nconstexpr int kRows[] = {{\n{body}}};\n" + "int f() {\n}\n" * 3 + "}\n"
    failures = []
    with tempfile.TemporaryDirectory() as root:
        for path, (text, _) in {**samples, "base/innocent.cc": (innocent, "")}.items():
            file = Path(root) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        for path, (_, expected) in samples.items():
            found = broken_rules(root, [path])
            if len(found) != 1 or expected not in found[0]:
                failures.append(f"{path}: expected one '{expected}', got {found}")
        if broken_rules(root, ["base/innocent.cc"]):
            failures.append(f"innocent code was accused: {broken_rules(root, ['base/innocent.cc'])}")
    return failures


def main():
    failures = self_test() if "--self-test" in sys.argv[1:] else broken_rules(ROOT, project_files())
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
