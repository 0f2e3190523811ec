"""What a language model is asked: the paper's prompts 1 to 6, in our own words.

Prompt 1 says how to answer, 2 and 3 are the operators of LLM Evolve, 4 to 6 let the model choose
by itself: reason and balance (4), sort into failed and successful (5), the same with scores as a
reward from 0 to 100 (6). What is asked for is a `kind` of text: music prompts or programs.
"""

from typing import Final

__all__ = ["CROSS", "FULL", "MUTATE", "WHAT", "system_prompt"]

WHAT: Final = {
    "prompt": "one-sentence description of a piece of music, given to a music generator",
    "program": (
        "complete Sonic Pi program that plays at once, with use_bpm and live_loops, and uses "
        "only built-in synths and samples"
    ),
}


def system_prompt(kind: str) -> str:
    """Prompt 1: what is produced, and between which tags."""
    return (
        f"You write texts for a program that evolves music. Each text is a {WHAT[kind]}. "
        "Put every finished text between <prompt> and </prompt>, one pair of tags per text, and "
        "never write these tags anywhere else, not even while thinking aloud. Example of an "
        "answer with two texts:\n<prompt>first text</prompt>\n<prompt>second text</prompt>"
    )


CROSS: Final = (
    "Here are two parents, each a {what}:\n{parents}\n"
    "Write 1 child that joins what is distinctive in both: style, instruments, mood, rhythm. It "
    "must not be longer than its parents."
)
"""Prompt 2: crossover, 2 parents to 1 child."""

MUTATE: Final = (
    "Here is one parent, a {what}:\n{parents}\n"
    "Write 3 children. Each changes one small thing, chosen at random: one instrument for another, "
    "the style a little, the mood a little. None is longer than the parent."
)
"""Prompt 3: mutation, 1 parent to 3 children."""

FULL: Final = {
    4: (
        "These texts, each a {what}, were turned into music and scored by how much one listener "
        "liked it:\n{ranking}\n"
        "First think: what do the liked ones share, what is wrong with the others, which "
        "directions has nobody tried, where are the texts too much alike? Then write {n} new "
        "texts, some that build on what worked and some that explore, all different."
    ),
    5: (
        "Scores that one listener gave to music made from these texts, each a {what}:\n{ranking}\n"
        "1. Sort them into successful and failed. 2. Say why the successful ones work: style, "
        "feeling, originality. 3. Name what is missing: styles nobody tried, too little variety. "
        "4. Say what this listener seems to like. 5. Then write {n} new texts, specific and short, "
        "no two alike, that follow from it."
    ),
    6: (
        "Texts, each a {what}, with the reward that the music made from them earned, from 0 to "
        "100; above 50 is a success, 50 or below a failure:\n{ranking}\n"
        "Sort them, find what makes a success and what has not been tried, infer the listener's "
        "taste. Then write {n} new texts. Your own reward is the sum of theirs: exploit what earns "
        "much, explore where nothing is known yet, and repeat nothing."
    ),
}
"""Prompts 4 to 6: the model chooses and writes the next generation by itself."""
