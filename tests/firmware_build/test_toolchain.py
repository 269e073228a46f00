"""Which toolchain is chosen, and what is said when there is none."""

import json
import os
import shutil
from dataclasses import replace

import pytest

from harness.boards import find_kind, load_kinds
from harness.errors import BuildError
from harness.firmware import toolchain
from harness.firmware.toolchain import find_toolchain, prepare_core_dir, scons_shim

UNO = find_kind("uno").virtual()
MKR_BARE = find_kind("mkr1000").virtual()
MKR_ARDUINO = find_kind("mkr1000").silicon()


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No registry, and a PlatformIO folder of the user with nothing in it."""
    monkeypatch.setattr(toolchain, "registry_in_reach", lambda: False)
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "user-pio"))
    return tmp_path / "user-pio"


@pytest.fixture
def bare_path(monkeypatch, tmp_path):
    """A PATH without any compiler."""
    monkeypatch.setenv("PATH", str(tmp_path))


def other_build(**changes):
    return replace(UNO, build=replace(UNO.build, **changes))


def test_the_shim_satisfies_platformio(cache):
    from platformio.dependencies import get_core_dependencies
    from platformio.package.meta import PackageSpec
    from semantic_version import Version

    demand = get_core_dependencies()["tool-scons"]
    folder = prepare_core_dir() / "packages" / "tool-scons"
    about = json.loads((folder / "package.json").read_text())
    mark = json.loads((folder / ".piopm").read_text())
    spec = PackageSpec(owner="platformio", name="tool-scons", requirements=demand)
    assert Version(about["version"]) in spec.requirements
    assert mark["version"] == about["version"]
    assert mark["spec"]["owner"] == "platformio"


def test_the_shim_follows_any_requirement():
    assert json.loads(scons_shim("~4.51200.3")["package.json"])["version"] == "4.51200.3"
    with pytest.raises(BuildError, match="no version"):
        scons_shim("latest")


def test_the_core_dir_is_made_once_and_mended(cache):
    core = prepare_core_dir()
    made = (core / "platforms/atmelavr/platform.json").stat().st_mtime_ns
    assert prepare_core_dir() == core
    assert (core / "platforms/atmelavr/platform.json").stat().st_mtime_ns == made
    (core / "packages/tool-scons/scons.py").unlink()
    assert prepare_core_dir() == core
    assert (core / "packages/tool-scons/scons.py").is_file()
    assert [p.name for p in core.parent.iterdir()] == [core.name]


@pytest.mark.emulated
def test_compilers_on_path_come_first(cache, offline):
    for board in (UNO, MKR_BARE):
        found = find_toolchain(board)
        assert found.source == "local"
        assert found.environment()["PLATFORMIO_CORE_DIR"] == str(found.core_dir)
        assert cache in found.core_dir.parents


def test_the_users_platformio_settings_do_not_leak_in(cache, monkeypatch):
    monkeypatch.setenv("PLATFORMIO_BUILD_DIR", "/elsewhere")
    environment = toolchain.Toolchain("local", "", cache).environment()
    assert "PLATFORMIO_BUILD_DIR" not in environment
    assert environment["PLATFORMIO_SETTING_ENABLE_TELEMETRY"] == "false"


def test_offline_without_compiler_names_both_ways(cache, offline, bare_path):
    with pytest.raises(BuildError, match="registry is out of reach") as caught:
        find_toolchain(UNO)
    assert "apt-get install gcc-avr" in caught.value.message
    assert "pio pkg install -g -p atmelavr" in caught.value.hint


def test_arduino_for_the_mkr1000_needs_the_registry(cache, offline):
    with pytest.raises(BuildError) as caught:
        find_toolchain(MKR_ARDUINO)
    message = caught.value.message
    assert message.startswith("cannot build for mkr1000 (atmelsam, arduino): ")
    assert "no framework 'arduino'" in message
    assert "--virtual" in caught.value.hint


def test_an_installed_platform_needs_no_registry(cache, offline):
    (offline / "platforms" / "atmelsam").mkdir(parents=True)
    found = find_toolchain(MKR_ARDUINO)
    assert (found.source, found.core_dir) == ("platformio", None)
    assert found.environment()["PLATFORMIO_CORE_DIR"] == str(offline)


def test_an_unknown_platform_names_those_shipped(cache, offline):
    with pytest.raises(BuildError, match="'quantum' is not among those shipped here") as caught:
        find_toolchain(other_build(platform="quantum"))
    assert "atmelavr, atmelsam" in caught.value.message


def test_forcing_local_says_why_it_cannot(cache, monkeypatch):
    monkeypatch.setenv("HARNESS_TOOLCHAIN", "local")
    with pytest.raises(BuildError, match=r"no local toolchain for uno: .* board 'nano'"):
        find_toolchain(other_build(board="nano"))


def test_forcing_platformio_leaves_the_compilers_on_path_alone(cache, offline, monkeypatch):
    monkeypatch.setenv("HARNESS_TOOLCHAIN", "platformio")
    with pytest.raises(BuildError, match="registry is out of reach"):
        find_toolchain(UNO)
    (offline / "platforms" / "atmelavr").mkdir(parents=True)
    assert find_toolchain(UNO).source == "platformio"


def test_a_misspelt_force_is_refused(cache, monkeypatch):
    monkeypatch.setenv("HARNESS_TOOLCHAIN", "debian")
    with pytest.raises(BuildError, match="'debian', must be 'local' or 'platformio'"):
        find_toolchain(UNO)


@pytest.mark.emulated
def test_another_compiler_is_another_fingerprint(cache, tmp_path, monkeypatch):
    before = find_toolchain(UNO).fingerprint
    folder = tmp_path / "newer"
    folder.mkdir()
    script = folder / "avr-gcc"
    script.write_text("#!/bin/sh\necho 'avr-gcc (GCC) 99.1.0'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    assert shutil.which("avr-gcc") == str(script)
    assert find_toolchain(UNO).fingerprint != before


@pytest.mark.parametrize(
    "kind", [k for k in load_kinds().values() if k.has_virtual_twin], ids=lambda k: k.name
)
def test_the_firmware_of_every_twin_builds_without_the_registry(kind):
    assert toolchain.local_obstacle(kind.virtual()) == ""


def test_the_arm_platforms_share_one_builder(cache):
    core = toolchain.prepare_core_dir()
    shared = (toolchain.PLATFORMS_DIR / "bare_arm.py").read_bytes()
    for name in ("atmelsam", "nordicnrf52", "ststm32"):
        assert (core / "platforms" / name / "builder" / "main.py").read_bytes() == shared
        assert (core / "platforms" / name / "platform.json").is_file()
