"""Package data: small PlatformIO platforms over compilers on PATH. `toolchain.py` installs them.

The files below run inside PlatformIO's build (SCons), never in the harness's own process.
"""
