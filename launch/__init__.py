"""Entry points: read a config, build, run. The only place that parses arguments."""
