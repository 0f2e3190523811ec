"""Evolution: what is bred for a listener, and how its fitness is judged."""
