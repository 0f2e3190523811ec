"""Action: the plan becomes sound, cut from a memory of recorded segments."""
