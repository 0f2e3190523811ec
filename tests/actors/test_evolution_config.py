import pytest
from pydantic import ValidationError

from actors.evolution_config import StageEvolutionConfig


def test_it_is_off_unless_asked_for():
    assert not StageEvolutionConfig().enabled


@pytest.mark.parametrize("address", ["192.168.1.5:6379", "127.0.0.1:6400", None])
def test_others_join_at_an_address_of_this_machine(address):
    assert StageEvolutionConfig(address=address).address == address


@pytest.mark.parametrize("address", ["here", "192.168.1.5", "192.168.1.5:80", "host:6379", ":"])
def test_any_other_address_is_refused_with_an_example(address):
    with pytest.raises(ValidationError, match=r"such as 192\.168\.1\.5:6379"):
        StageEvolutionConfig(address=address)
