"""Metrics: each module validates, measures, evaluates; every formula is cited."""
