"""Where sound and control enter and leave: sound cards, WAV replay, OSC."""
