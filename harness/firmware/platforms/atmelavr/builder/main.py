"""SCons script: C and C++ for an AVR to .elf and .hex, and its upload with avrdude.

Ref: PlatformIO docs, "Custom development platform"; avrdude(1).
"""

from SCons.Script import AlwaysBuild, Builder, Default, DefaultEnvironment

env = DefaultEnvironment()

machine = "-mmcu=$BOARD_MCU"

env.Replace(
    CC="avr-gcc",
    CXX="avr-g++",
    AS="avr-as",
    AR="avr-gcc-ar",
    RANLIB="avr-gcc-ranlib",
    OBJCOPY="avr-objcopy",
    SIZETOOL="avr-size",
    ARFLAGS=["rcsD"],
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPROGREGEXP=r"^(?:\.text|\.data)\s+(\d+)",
    SIZEDATAREGEXP=r"^(?:\.data|\.bss|\.noinit)\s+(\d+)",
    UPLOADER="avrdude",
    UPLOADERFLAGS=["-p", "$BOARD_MCU", "-c", "$UPLOAD_PROTOCOL", "-b", "$UPLOAD_SPEED", "-D"],
    UPLOADCMD='$UPLOADER $UPLOADERFLAGS -P "$UPLOAD_PORT" -U "flash:w:$SOURCE:i"',
)
env.Append(
    CPPDEFINES=[("F_CPU", "$BOARD_F_CPU")],
    CCFLAGS=[machine, "-Os", "-ffunction-sections", "-fdata-sections"],
    CXXFLAGS=["-std=gnu++11", "-fno-exceptions", "-fno-threadsafe-statics"],
    ASFLAGS=[machine, "-x", "assembler-with-cpp"],
    LINKFLAGS=[machine, "-Os", "-Wl,--gc-sections"],
    LIBS=["m"],
    BUILDERS={
        "IntelHex": Builder(
            action=env.VerboseAction(
                "$OBJCOPY -O ihex -R .eeprom -R .fuse -R .lock $SOURCE $TARGET", "Writing $TARGET"
            ),
            suffix=".hex",
        )
    },
)

elf = env.BuildProgram()
env.NoCache(elf)  # linking also writes a map, which the cache of objects would not bring back
image = env.IntelHex("$BUILD_DIR/${PROGNAME}", elf)

find_port = env.VerboseAction(env.AutodetectUploadPort, "Looking for the upload port")
upload = env.VerboseAction("$UPLOADCMD", "Uploading $SOURCE")
AlwaysBuild(env.Alias("upload", image, [find_port, upload]))
AlwaysBuild(env.Alias("size", elf, env.VerboseAction("$SIZETOOL -A -d $SOURCE", "Size")))
Default([env.Alias("buildprog", image, image)])
