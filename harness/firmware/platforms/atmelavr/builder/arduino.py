"""SCons script: the Arduino core for AVR as Debian packages it (arduino-core-avr)."""

from pathlib import Path

from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()

root = Path("/usr/share/arduino/hardware/arduino/avr")
if not root.is_dir():
    raise SystemExit(f"{root}: no Arduino core here; try: apt-get install arduino-core-avr")
core = root / "cores" / board.get("build.core")
variant = root / "variants" / board.get("build.variant")

env.Append(
    CPPDEFINES=[("ARDUINO", 10808)],
    # WString.cpp of core 1.8.7 wants DECIMAL_DIG, which avr-gcc 5.4 defines only for C.
    CXXFLAGS=["-DDECIMAL_DIG=__DECIMAL_DIG__"],
    CPPPATH=[str(core), str(variant)],
    LIBSOURCE_DIRS=[str(root / "libraries")],
)
env.Prepend(LIBS=[env.BuildLibrary("$BUILD_DIR/FrameworkArduino", str(core))])
