"""Metrics: each file validates its input, offers single metrics, and evaluates them together."""
