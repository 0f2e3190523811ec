"""Perception: the sound of the window that just ended becomes one label."""
