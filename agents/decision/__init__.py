"""Decision: the labels heard become a plan of the labels to play next."""
