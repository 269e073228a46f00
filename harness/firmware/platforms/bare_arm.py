"""SCons script of the ARM platforms: bare-metal C for a Cortex-M to .elf and .bin, and its upload.

One file serves them all: `toolchain.core_files` puts it into each as builder/main.py. The board's
description names the core and, in `upload.command`, the uploader; the project brings its own
start-up code and names its linker script in `board_build.ldscript`.
Ref: PlatformIO docs, "Custom development platform"; bossac(1); stm32flash(1).
"""

import time

import serial
from SCons.Script import AlwaysBuild, Builder, Default, DefaultEnvironment

TOUCH_BAUD = 1200  # closing the port at this rate starts the bootloader
SETTLE_S = 1.0  # the bootloader needs this long to appear

env = DefaultEnvironment()
board = env.BoardConfig()

machine = ["-mcpu=" + board.get("build.cpu"), "-mthumb"]


def start_bootloader(target, source, env):  # type: ignore[no-untyped-def]
    """The 1200-baud touch. A board that is in its bootloader already does not mind."""
    port = env.subst("$UPLOAD_PORT")
    try:
        serial.Serial(port, TOUCH_BAUD).close()
    except (OSError, serial.SerialException) as error:
        print(f"{port}: cannot ask for the bootloader: {error}")
    time.sleep(SETTLE_S)


env.Replace(
    CC="arm-none-eabi-gcc",
    CXX="arm-none-eabi-g++",
    AS="arm-none-eabi-as",
    AR="arm-none-eabi-gcc-ar",
    RANLIB="arm-none-eabi-gcc-ranlib",
    OBJCOPY="arm-none-eabi-objcopy",
    SIZETOOL="arm-none-eabi-size",
    ARFLAGS=["rcsD"],
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
    UPLOADCMD=board.get("upload.command", "echo no upload offline: docs/building.md"),
)
env.Append(
    CPPDEFINES=[("F_CPU", "$BOARD_F_CPU")],
    CCFLAGS=[*machine, "-Os", "-ffunction-sections", "-fdata-sections"],
    CXXFLAGS=["-std=gnu++11", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
    ASFLAGS=[*machine, "-x", "assembler-with-cpp"],
    LINKFLAGS=[
        *machine,
        "-Os",
        "-Wl,--gc-sections",
        "--specs=nano.specs",
        "--specs=nosys.specs",
    ],
    LIBS=["m"],
    BUILDERS={
        "Binary": Builder(
            action=env.VerboseAction("$OBJCOPY -O binary $SOURCE $TARGET", "Writing $TARGET"),
            suffix=".bin",
        )
    },
)

elf = env.BuildProgram()
image = env.Binary("$BUILD_DIR/${PROGNAME}", elf)

find_port = env.VerboseAction(env.AutodetectUploadPort, "Looking for the upload port")
touch = env.VerboseAction(start_bootloader, "Starting the bootloader")
upload = env.VerboseAction("$UPLOADCMD", "Uploading $SOURCE")
steps = [find_port, *([touch] if board.get("upload.use_1200bps_touch", False) else []), upload]
AlwaysBuild(env.Alias("upload", image, steps))
AlwaysBuild(env.Alias("size", elf, env.VerboseAction("$SIZETOOL -A -d $SOURCE", "Size")))
Default([env.Alias("buildprog", image, image)])
