"""Ranks pieces of code by how they will sound, without playing them."""
