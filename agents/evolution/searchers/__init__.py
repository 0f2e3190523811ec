"""How the next children are found: searchers behind one ask/tell interface."""
