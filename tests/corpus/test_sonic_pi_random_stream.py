import numpy as np
import pytest
import soundfile

from corpus.sonic_pi.random_stream import STREAM_LENGTH, Chance, RandomStream, find_random_stream

needs_original = pytest.mark.skipif(
    find_random_stream() is None, reason="needs Sonic Pi's rand-stream.wav: install sonic-pi-server"
)


def counting_stream():
    return RandomStream(np.arange(STREAM_LENGTH) / STREAM_LENGTH, is_original=False)


def test_numbers_follow_one_another_from_the_seed():
    chance = Chance(counting_stream(), seed=10)
    assert [round(chance.draw() * STREAM_LENGTH) for _ in range(3)] == [11, 12, 13]


def test_the_stream_begins_again_at_its_end():
    chance = Chance(counting_stream(), seed=STREAM_LENGTH - 1)
    assert chance.draw() == 0.0


def test_peeking_does_not_move_on():
    chance = Chance(counting_stream())
    assert chance.peek(5) == chance.peek(5)
    assert chance.index == 0


def test_a_fractional_seed_reads_the_number_below():
    assert Chance(counting_stream(), 7.9).draw() == Chance(counting_stream(), 7).draw()


def test_shuffling_keeps_the_values_and_draws_one_number():
    chance = Chance(RandomStream.load(), seed=3)
    assert sorted(chance.shuffled([1, 2, 3, 4, 5])) == [1, 2, 3, 4, 5]
    assert chance.index == 1


def test_a_file_that_is_too_short_is_refused(tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, np.zeros(100), 44_100)
    with pytest.raises(ValueError, match="must hold 441000 numbers, got 100"):
        RandomStream.load(path)


def test_without_a_file_the_stand_in_is_the_same_every_time(monkeypatch):
    monkeypatch.setattr("corpus.sonic_pi.random_stream.find_random_stream", lambda: None)
    first, second = RandomStream.load(), RandomStream.load()
    assert not first.is_original
    assert np.array_equal(first.numbers, second.numbers)
    assert first.numbers.min() >= 0.0
    assert first.numbers.max() < 1.0


@needs_original
def test_the_original_stream_gives_the_documented_numbers():
    chance = Chance(RandomStream.load())
    assert [chance.draw() for _ in range(2)] == [0.75006103515625, 0.733917236328125]
