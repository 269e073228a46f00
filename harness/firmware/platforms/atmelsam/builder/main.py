"""SCons script: bare-metal C for a SAMD21 to .elf and .bin, and its upload with bossac.

The project brings its own start-up code and names its linker script in `board_build.ldscript`.
Ref: PlatformIO docs, "Custom development platform"; bossac(1).
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
    if "ttyACM" not in port and "ttyUSB" not in port:
        env.Append(UPLOADERFLAGS=["-U"])  # bossac knows a USB port only by these names


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
    UPLOADER="bossac",
    UPLOADERFLAGS=["-o", board.get("upload.offset_address"), "-i", "-e", "-w", "-v"],
    UPLOADCMD='$UPLOADER -p "$UPLOAD_PORT" $UPLOADERFLAGS "$SOURCE" -R',
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
AlwaysBuild(env.Alias("upload", image, [find_port, touch, upload]))
AlwaysBuild(env.Alias("size", elf, env.VerboseAction("$SIZETOOL -A -d $SOURCE", "Size")))
Default([env.Alias("buildprog", image, image)])
