"""The streams: messages as frames, the broker, and each peer's place on it."""
