"""Malformed and boundary-valid frames of roomproof.v1, made from the message schemas: pure, the same every time.

A walk over the schemas (`places`) meets the operators (`constraints`, `spelling`, `carriage`); each meeting is one
`Specimen`. A schema that grows a member yields more specimens without a change here. `raw` is the catalogue of what
RFC 6455 forbids. Knows no socket, no scenario and no verdict.
"""

from __future__ import annotations

from .proof import unproven
from .specimens import OPERATORS, Piece, Specimen, Values
from .walk import FAMILIES, specimens

__all__ = ["FAMILIES", "OPERATORS", "Piece", "Specimen", "Values", "specimens", "unproven"]
