"""The version of this package, and of the contract's Python side."""

__version__ = "0.1.0"
