import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.generated_songs import (
    ATTRIBUTES,
    FAMILIES,
    attribute_table,
    compose,
    draw_recipe,
    render_song,
)
from corpus.notation import chord_pitch_classes


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_a_song_obeys_its_recipe(seed):
    recipe = draw_recipe(seed)
    score = compose(recipe)
    assert len(score.parts) == recipe.n_parts
    assert score.parts["melody"].instrument in FAMILIES[recipe.family]
    assert score.tempo_bpm == recipe.tempo_bpm
    assert score.seconds >= 10
    melody = [note.pitch for note in score.parts["melody"].notes]
    assert abs(np.mean(melody) - recipe.register) < 20
    end = score.n_bars * score.beats_per_bar
    assert all(n.end_beats <= end for part in score.parts.values() for n in part.notes)
    assert all(chord_pitch_classes(symbol) for bar in score.harmony for symbol in bar)


def test_the_same_seed_gives_the_same_notes_and_another_others():
    assert compose(draw_recipe(3)) == compose(draw_recipe(3))
    assert compose(draw_recipe(3)) != compose(draw_recipe(4))


def test_attributes_stand_for_themselves_and_are_of_one_scale():
    table = attribute_table([draw_recipe(seed) for seed in range(200)])
    assert table.shape == (200, len(ATTRIBUTES))
    assert np.abs(table).max() < 4
    related = np.corrcoef(table[:, [ATTRIBUTES.index(n) for n in ("tempo", "minor", "loudness")]].T)
    assert np.abs(related - np.eye(3)).max() < 0.25
    np.testing.assert_allclose(table[:, -4:].sum(axis=1), 1.0)


def test_a_length_of_nothing_is_refused():
    with pytest.raises(ValueError, match="seconds must be above 0"):
        compose(draw_recipe(0), 0.0)


@pytest.mark.usefixtures("needs_synthesizer")
def test_a_song_is_rendered_alike_twice_and_never_clips():
    one, two = (render_song(draw_recipe(1), 3.0) for _ in range(2))
    assert one.tobytes() == two.tobytes()
    assert one.shape == (3 * 22_050,)
    assert 0.01 < np.abs(one).max() < 1.0
