"""SCons script: C to a static AArch64 program for Linux, .elf, and its stripped copy, .bin.

Static, so that it runs whatever C library the board's system has. Uploading is `harness flash`'s:
the board is at an ssh address, not at a port that PlatformIO could find.
Ref: PlatformIO docs, "Custom development platform".
"""

from SCons.Script import AlwaysBuild, Builder, Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()

machine = ["-mcpu=" + board.get("build.cpu")]

env.Replace(
    CC="aarch64-linux-gnu-gcc",
    CXX="aarch64-linux-gnu-g++",
    AS="aarch64-linux-gnu-as",
    AR="aarch64-linux-gnu-gcc-ar",
    RANLIB="aarch64-linux-gnu-gcc-ranlib",
    OBJCOPY="aarch64-linux-gnu-objcopy",
    SIZETOOL="aarch64-linux-gnu-size",
    ARFLAGS=["rcsD"],
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)
env.Append(
    CCFLAGS=[*machine, "-Os", "-ffunction-sections", "-fdata-sections"],
    LINKFLAGS=[*machine, "-Os", "-static", "-Wl,--gc-sections"],
    BUILDERS={
        "Stripped": Builder(
            action=env.VerboseAction("$OBJCOPY --strip-all $SOURCE $TARGET", "Writing $TARGET"),
            suffix=".bin",
        )
    },
)

elf = env.BuildProgram()
image = env.Stripped("$BUILD_DIR/${PROGNAME}", elf)

AlwaysBuild(env.Alias("size", elf, env.VerboseAction("$SIZETOOL -A -d $SOURCE", "Size")))
Default([env.Alias("buildprog", image, image)])
