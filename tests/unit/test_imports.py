"""Imports point one way: the arrows that ARCHITECTURE.md draws."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "harness"

# Module (or package) of harness -> modules of harness it may import. A package may import itself.
ALLOWED = {
    "errors": "",
    "events": "",
    "files": "errors",
    "npzfile": "",
    "yamlfile": "errors files",
    "paths": "",
    "provenance": "paths",
    "tools": "errors paths",
    "boards": "errors paths yamlfile",
    "instances": "boards errors",
    "discovery": "boards errors instances link",
    "scan": "boards discovery errors files instances yamlfile",
    "reference": "",
    "qmodel": "errors files npzfile reference",
    "results": "errors files",
    "link": "errors",
    "virtual": "errors files paths tools",
    "remote": "errors",
    "firmware": "boards errors files paths qmodel reference tools",
    "flash": "boards discovery errors instances link remote tools virtual",
    "fused": "errors files paths tools",
    "doctor": "boards discovery errors firmware flash fused instances paths tools virtual",
    "bench": "errors link qmodel reference results",
    "lab": "bench boards discovery errors firmware flash health instances link locks qmodel remote "
    "virtual",
    "prove": "boards datasets discovery errors firmware flash floatmodel health instances lab link "
    "qmodel quantize reference",
    "locks": "errors",
    "health": "errors files paths",
    "datasets": "errors files npzfile paths reference",
    "presets": "errors reference",
    "models": "errors fused presets reference",
    "floatmodel": "errors datasets files npzfile reference",
    "quantize": "errors datasets floatmodel qmodel reference",
    "train": "errors files models presets",
    "compress": "errors models presets train",
    "language_presets": "errors presets",
    "language": "compress datasets errors files language_presets models presets quantize reference "
    "train",
    "pipeline": "compress datasets errors files floatmodel fused paths presets qmodel quantize "
    "reference tools train",
    "plots": "errors files history results",
    "report": "errors files history plots results",
    "rows": "bench boards datasets firmware pipeline qmodel reference results",
    "run": "bench boards datasets errors events files firmware flash instances lab pipeline "
    "presets provenance qmodel reference results rows",
    "study": "boards datasets errors events files firmware language language_presets paths "
    "pipeline presets provenance qmodel reference results run tools",
    "history": "errors files results study",
    "nightly": "datasets errors events files firmware history instances pipeline presets "
    "provenance report results rows run virtual yamlfile",
    "pytest_plugin": "boards errors flash instances lab link",
    "cli": "bench boards datasets discovery doctor errors events files firmware health history "
    "instances lab link locks nightly paths pipeline plots presets prove qmodel reference report "
    "results rows run scan study virtual yamlfile",
}
# Third-party package -> the modules that may import it.
GUARDED = {
    "torch": {"fused", "models", "train", "compress", "language", "pipeline"},
    "serial": {"link/serial", "flash"},
    "pandas": {
        "results",
        "plots",
        "report",
        "run",
        "study",
        "cli/sizes",
        "cli/study",
        "cli/tables",
    },
    "scipy": {"study/stats"},
    "optuna": {"study/claims", "study/sampler", "study/search", "study/watch"},
    "matplotlib": {"plots"},
    "click": {"cli"},
    "rich": {"cli"},
    "jinja2": {"firmware", "nightly/page", "report/page", "report/site"},
    "elftools": {"firmware/elf"},
    "sklearn": {"datasets/digits"},
}
# Commands that do not train, with arguments that end quickly.
TORCH_FREE = [
    "--help",
    "boards",
    "doctor --help",
    "history --help",
    "compare --help",
    "report --help",
    "nightly --help",
    "flash --help",
    "stream --help",
]


def modules():
    return sorted(p for p in PACKAGE.rglob("*.py") if "platforms" not in p.parts)


def top(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path):
    """(module, is inside TYPE_CHECKING) of every import, lazy ones included."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and getattr(guard.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(guard)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "harness":
                yield from (f"harness.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    here = top(path)
    if here == "__init__":
        return
    allowed = set(ALLOWED[here].split()) | {here, "__version__"}
    for name in imports(path):
        first, *rest = name.split(".")
        if first == "harness" and rest:
            assert rest[0] in allowed, f"{here} may not import {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_third_parties_stay_where_they_belong(path):
    inner = str(path.relative_to(PACKAGE)).removesuffix(".py")
    for name in imports(path):
        owners = GUARDED.get(name.split(".")[0])
        if owners is not None:
            assert any(inner == o or inner.startswith(f"{o}/") for o in owners), name


def test_every_module_has_a_rule_and_every_rule_a_module():
    assert {top(p) for p in modules()} - {"__init__"} == set(ALLOWED)


def test_the_arrows_have_no_cycle():
    done: set[str] = set()

    def visit(name, trail):
        assert name not in trail, f"cycle: {trail + [name]}"
        if name not in done:
            for other in ALLOWED[name].split():
                visit(other, [*trail, name])
            done.add(name)

    for name in ALLOWED:
        visit(name, [])


@pytest.mark.parametrize("command", TORCH_FREE)
def test_commands_that_do_not_train_never_import_torch(command):
    program = (
        "import sys; sys.argv = ['harness', *sys.argv[1:]]\n"
        "from harness.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
        "print('modules', len(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *command.split()], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "modules" in done.stdout


def test_help_imports_no_command_module():
    program = (
        "import sys; sys.argv = ['harness', '--help']\n"
        "from harness.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pandas', 'matplotlib', 'torch', 'rich', 'serial'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
