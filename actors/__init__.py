"""The machinery: clock, scheduler, streams, Ray hosts, supervisor, devices, journal."""
