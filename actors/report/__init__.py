"""The record of a run: figures, pictures and one page, made from its journal."""
