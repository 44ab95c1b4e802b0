"""Azure Resource Manager's own support tickets."""

from __future__ import annotations
