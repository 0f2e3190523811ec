"""The musical alphabet: class ids 0..K-1 for what is played, and one reserved id for silence.

Arrays of labels are int64 of shape (windows,), on one window grid.
"""

from typing import Final

SILENCE: Final = -1
"""Label of a silent window; never a codebook class, never predicted by a label head."""
