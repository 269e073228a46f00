"""What docs/security.md promises of all the code: no shell, no pickles, no listening port."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from harness.virtual.process import VirtualBoard

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted([*(ROOT / "harness").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])
C_CODE = sorted(
    path
    for folder in ("harness", "firmware_templates")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".c", ".h", ".cpp"}
)
# What nothing may call or import, with what stands for it.
FORBIDDEN_CALLS = {
    "eval": "ast.literal_eval, or a reader",
    "exec": "a function",
    "os.system": "tools.run_tool",
    "os.popen": "tools.run_tool",
    "yaml.load": "yamlfile",
    "yaml.load_all": "yamlfile",
    "yaml.safe_load": "yamlfile",
    "yaml.unsafe_load": "yamlfile",
    "yaml.full_load": "yamlfile",
    "np.load": "npzfile",
}
FORBIDDEN_METHODS = {"bind", "create_server", "start_server", "extractall", "extract"}
FORBIDDEN_IMPORTS = {"pickle", "marshal", "shelve", "dill", "socketserver", "http.server", "xmlrpc"}
# Our own files, which no one else writes.
EXCEPTED = {("harness/datasets/speech.py", "np.load"), ("harness/study/sizes.py", "np.load")}


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an attribute or name; '' for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    return ""


def complaints(text: str, name: str) -> list[str]:
    """What a Python file has that it may not have."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name in FORBIDDEN_IMPORTS]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module] if node.module in FORBIDDEN_IMPORTS else []
        elif isinstance(node, ast.Call):
            found += call_complaints(node, name)
    return found


def call_complaints(node: ast.Call, name: str) -> list[str]:
    called = dotted(node.func)
    given = {word.arg: word.value for word in node.keywords}
    found = []
    if called in FORBIDDEN_CALLS and (name, called) not in EXCEPTED:
        found.append(f"{called}, instead of {FORBIDDEN_CALLS[called]}")
    if isinstance(node.func, ast.Attribute) and node.func.attr in FORBIDDEN_METHODS:
        found.append(f".{node.func.attr}()")
    if "shell" in given and getattr(given["shell"], "value", None) is not False:
        found.append("shell=")
    if getattr(given.get("allow_pickle"), "value", False) is not False:
        found.append("allow_pickle=")
    if called == "torch.load" and getattr(given.get("weights_only"), "value", None) is not True:
        found.append("torch.load without weights_only=True")
    if called.endswith("Environment") and "loader" in given and "firmware" not in name:
        escapes = getattr(given.get("autoescape"), "value", False)
        found += [] if escapes is True else ["a template without autoescape"]
    return found


@pytest.mark.parametrize("path", CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_forbidden_is_called(path):
    assert complaints(path.read_text(), path.relative_to(ROOT).as_posix()) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from socketserver import TCPServer",
        "eval('1')",
        "import os; os.system('x')",
        "subprocess.run('x', shell=True)",
        "subprocess.run('x', shell=flag)",
        "np.load(path)",
        "numpy.load(path, allow_pickle=True)",
        "torch.load(path)",
        "yaml.safe_load(text)",
        "archive.extractall()",
        "server.bind(('', 80))",
        "jinja2.Environment(loader=loader)",
    ],
)
def test_each_of_them_would_be_found(text):
    assert complaints(text, "harness/some.py") != []


def test_no_template_of_a_page_marks_anything_as_safe():
    pages = sorted((ROOT / "harness").rglob("*.html.j2"))
    assert len(pages) >= 4
    for page in pages:
        assert not re.search(r"\|\s*safe\b|autoescape false", page.read_text()), page


def test_no_c_code_opens_a_network_socket():
    assert len(C_CODE) > 50
    for path in C_CODE:
        assert not re.search(r"\b(AF|PF)_INET6?\b", path.read_text(errors="replace")), path


def network_inodes() -> set[str]:
    """Inodes of all TCP and UDP sockets of this machine, whatever they do."""
    found = set()
    for name in ("tcp", "tcp6", "udp", "udp6"):
        path = Path("/proc/net") / name
        lines = path.read_text().splitlines()[1:] if path.exists() else []
        found |= {line.split()[9] for line in lines}
    return found


def sockets_of(pid: int) -> set[str]:
    """Inodes of the sockets that a process holds."""
    links = [str(p.readlink()) for p in Path(f"/proc/{pid}/fd").iterdir()]
    return {m.group(1) for link in links if (m := re.fullmatch(r"socket:\[(\d+)\]", link))}


@pytest.mark.emulated
@pytest.mark.parametrize("board", ["uno", "mkr1000"])
def test_a_virtual_board_has_a_control_socket_and_none_of_the_network(board, tmp_path):
    with VirtualBoard.start(board, tmp_path) as running:
        held = sockets_of(running.pid)
        assert held
        assert held & network_inodes() == set()
