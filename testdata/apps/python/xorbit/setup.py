import os

from setuptools import Extension, setup

setup(
    packages=[],
    ext_modules=[
        Extension(
            "xorbit",
            ["src/xorbit.c"],
            # pip builds in a directory with a random name, which debugging symbols
            # would hold.
            extra_compile_args=["-std=c11", "-Wall", "-Wextra", f"-ffile-prefix-map={os.getcwd()}=xorbit"],
        )
    ],
)
