"""Which folders make up the package. Everything else is in pyproject.toml, which cannot say that `prompts/` is a part of it."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["hcmlang*"]), "hcmlang.shipped"],
    package_dir={"hcmlang.shipped": "prompts"},
)
