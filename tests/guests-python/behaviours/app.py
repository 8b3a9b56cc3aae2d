"""Everything that a module can do and suffer, one small function each: the same, and called the same, as in `tests/guests/behaviours` in Rust.

Tasks: `outcomes` (how they end) · `misdeeds` (what the sandbox must survive) · `outside` and `network` (what they can reach) · `liveness`.
Workflows: `calls` · `waiting` · `recorded` (steps, clocks, random) · `refused` (what a workflow must not) · `lifecycle`.
`python_only`: what only this language has.
"""

import calls
import currant
import lifecycle
import liveness
import misdeeds
import network
import outcomes
import outside
import python_only
import recorded
import refused
import waiting

__all__ = [
    "calls",
    "lifecycle",
    "liveness",
    "misdeeds",
    "network",
    "outcomes",
    "outside",
    "python_only",
    "recorded",
    "refused",
    "waiting",
]

currant.module("behaviours", version="0.1.0")
