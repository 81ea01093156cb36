"""The experiments of Hsu, Lee & Wei 2021, to be repeated on simulated cells or on one's own pairs with one command."""

from __future__ import annotations
