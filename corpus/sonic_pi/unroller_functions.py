"""Functions that compute: chance, lists of many kinds, notes, chords and scales, arithmetic."""

import math
from typing import Final

from corpus.sonic_pi import unroller_theory as theory
from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_registry import function
from corpus.sonic_pi.unroller_threads import VirtualThread
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    LARGEST_LIST,
    OutOfBudget,
    ProgramFailure,
    Ring,
    Span,
    Symbol,
    Value,
    as_list,
    inspect,
    is_list,
    is_number,
    is_truthy,
    options_of,
    to_float,
    whole,
)

__all__ = ["choose_from", "euclidean", "shuffle_list"]


def _options(given: list[Value]) -> dict[str, Value]:
    return given[-1] if given and isinstance(given[-1], dict) else {}


def _plain(given: list[Value]) -> list[Value]:
    return given[:-1] if given and isinstance(given[-1], dict) else given


def _drawn(thread: VirtualThread, below: float) -> float:
    thread.machine.n_random += 1
    return thread.chance.draw(below)


def _bound(value: Value) -> float:
    number = theory.note_number(value)
    if not is_number(number):
        raise ProgramFailure(f"a bound must be a number, got {inspect(value)}")
    return number  # type: ignore[no-any-return]


def _quantised(value: float, step: Value) -> Value:
    return math.floor(value / step + 0.5) * step if step else value


@function("rand")
def _rand(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    most = given[0] if given else 1
    if isinstance(most, Span):
        return _between(thread, [most.first, most.last])
    return _drawn(thread, most) if most != 0 else 0.0


@function("rand_i")
def _rand_i(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    most = given[0] if given else 2
    if isinstance(most, Span):
        return _between_whole(thread, [most.first, most.last], None)
    return int(_drawn(thread, _bound(most))) if most != 0 else 0


@function("rrand")
def _rrand(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return _between(thread, given)


def _between(thread: VirtualThread, given: list[Value]) -> Value:
    low, high = _bound(given[0]), _bound(given[1])
    step = _options(given).get("step")
    if low == high:
        return _quantised(low, step)
    return _quantised(_drawn(thread, abs(low - high)) + min(low, high), step)


@function("rrand_i")
def _between_whole(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    low, high = _bound(given[0]), _bound(given[1])
    if low == high:
        return low
    return int(_drawn(thread, int(abs(low - high)) + 1)) + min(low, high)


@function("rdist")
def _rdist(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    numbers = _plain(given)
    centre = numbers[1] if len(numbers) > 1 else 0
    return _between(thread, [centre - numbers[0], centre + numbers[0], _options(given)])


@function("dice")
def _dice(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return _between_whole(thread, [1, given[0] if given else 6], None)


@function("one_in")
def _one_in(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    count = whole(given[0])
    return count >= 1 and _between_whole(thread, [1, count], None) == 1


@function("rand_back")
def _rand_back(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    thread.chance.index -= given[0] if given else 1
    return thread.chance.peek(thread.chance.index)


@function("rand_skip")
def _rand_skip(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    thread.chance.index += given[0] if given else 1
    return thread.chance.peek(thread.chance.index)


@function("rand_reset")
def _rand_reset(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    thread.chance.index = 0
    return None


@function("rand_look")
def _rand_look(thread: VirtualThread, given: list[Value], block: Block | None) -> Value:
    value = _rand(thread, given, block)
    thread.chance.index -= 1
    return value


@function("rand_i_look")
def _rand_i_look(thread: VirtualThread, given: list[Value], block: Block | None) -> Value:
    value = _rand_i(thread, given, block)
    thread.chance.index -= 1
    return value


@function("current_random_seed")
def _current_random_seed(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return thread.chance.seed + thread.chance.index


def choose_from(thread: VirtualThread, values: list[Value]) -> Value:
    """One of the values by the thread's chance; nil of none."""
    index = int(_drawn(thread, len(values)))
    return values[index] if values else None


def shuffle_list(thread: VirtualThread, values: list[Value]) -> list[Value]:
    """The values in an order by the thread's chance."""
    thread.machine.n_random += 1
    thread.spend(len(values))
    return thread.chance.shuffled(values)


@function("choose")
def _choose(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return choose_from(thread, as_list(given[0])) if given else UNKNOWN


@function("shuffle")
def _shuffle(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    held = given[0]
    if isinstance(held, str):
        return "".join(shuffle_list(thread, list(held)))
    order = shuffle_list(thread, as_list(held))
    return held.like(order) if isinstance(held, Ring) else order


@function("pick")
def _pick(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    if not given or not (is_list(given[0]) or isinstance(given[0], Span)):
        return UNKNOWN
    values = as_list(given[0])
    count = given[1] if len(given) > 1 and is_number(given[1]) else 1
    for _ in range(whole(_options(given).get("skip", 0) or 0)):
        choose_from(thread, values)
    picked = [choose_from(thread, values) for _ in range(min(whole(count), LARGEST_LIST))]
    return Ring(picked) if isinstance(given[0], Ring) else picked


@function("ring")
def _ring(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return Ring(given)


@function("ramp")
def _ramp(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return Ring(given, "ramp")


@function("vector")
def _vector(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return Ring(given, "vector")


@function("map")
def _map(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return options_of(given)


@function("knit")
def _knit(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    made: list[Value] = []
    for value, count in zip(given[::2], given[1::2], strict=False):
        made.extend([value] * min(max(0, whole(count)), LARGEST_LIST))
    return Ring(made)


@function("stretch")
def _stretch(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    made: list[Value] = []
    for values, count in zip(given[::2], given[1::2], strict=False):
        for value in as_list(values):
            made.extend([value] * min(max(0, whole(count)), LARGEST_LIST))
    return Ring(made)


@function("range")
def _range(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    options = _options(given)
    numbers = _plain(given)
    step = numbers[2] if len(numbers) > 2 else options.get("step") or 1.0
    inclusive = is_truthy(options.get("inclusive", False))
    return _stepped(to_float(numbers[0]), to_float(numbers[1]), abs(step), inclusive=inclusive)


def _stepped(first: float, last: float, step: float, *, inclusive: bool) -> Ring:
    if first == last or step == 0:
        return Ring([])
    if abs(last - first) / step > LARGEST_LIST:
        raise OutOfBudget(f"a list grew beyond {LARGEST_LIST} items")
    made = []
    sign = 1 if last > first else -1
    current = first
    while (round(current, 14) - last) * sign < 0 or (inclusive and round(current, 14) == last):
        made.append(round(current, 14))
        current += step * sign
    return Ring(made)


@function("line")
def _line(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    options = _options(given)
    first, last = to_float(given[0]), to_float(given[1])
    steps = options.get("steps") or 4
    inclusive = is_truthy(options.get("inclusive", False))
    width = abs(first - last)
    step = (width / (steps - 1) if steps > 1 else 0.0) if inclusive else width / steps
    return _stepped(first, last, step, inclusive=inclusive)


@function("halves", "doubles")
def _doubles(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    raise ProgramFailure("unreachable")


def _geometric(factor: float) -> None:
    name = "doubles" if factor > 1 else "halves"

    @function(name)
    def _made(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
        count = whole(given[1]) if len(given) > 1 else 1
        ratio = factor if count >= 0 else 1 / factor
        return Ring([to_float(given[0]) * ratio**index for index in range(min(abs(count), 500))])


_geometric(2.0)
_geometric(0.5)


def euclidean(accents: int, size: int) -> list[bool]:
    """Accents spread as evenly as they go over a number of steps (Bjorklund's algorithm)."""
    if accents >= size:
        return [True] * max(0, size)
    front = [[True] for _ in range(max(0, accents))]
    back = [[False] for _ in range(size - len(front))]
    while True:
        count = min(len(front), len(back))
        joined = [front[i] + back[i] for i in reversed(range(count))]
        back = front[count:] or back[count:]
        front = joined
        if len(back) <= 1:
            return [step for group in front + back for step in group]


@function("spread")
def _spread(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    size = whole(given[1])
    if size > LARGEST_LIST:
        raise OutOfBudget(f"a list grew beyond {LARGEST_LIST} items")
    pattern = euclidean(whole(given[0]), size)
    turns = abs(whole(_options(given).get("rotate", 0) or 0))
    if turns and any(pattern) and not all(pattern):
        for _ in range(turns % sum(pattern)):
            pattern = pattern[1:] + pattern[:1]
            while not pattern[0]:
                pattern = pattern[1:] + pattern[:1]
    return Ring(pattern)


@function("note")
def _note(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    value = given[0] if given else None
    if isinstance(value, Block):
        value = value.call(thread)
    return theory.note_number(value, _options(given).get("octave"))


@function("note_info")
def _note_info(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    number = theory.note_number(given[0], _options(given).get("octave"))
    if not is_number(number):
        return UNKNOWN
    name, octave = theory.note_name(number), theory.note_octave(number)
    return {
        "midi_note": number,
        "octave": octave,
        "pitch_class": name,
        "interval": int(number) % 12,
        "midi_string": f"{name}{octave}",
    }


@function("notes", "midi_notes")
def _notes(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return Ring([theory.note_number(value) for value in given])


@function("octs")
def _octs(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    count = whole(given[1]) if len(given) > 1 else 1
    start = theory.note_number(given[0])
    return Ring([start + 12 * octave for octave in range(min(count, 50))])


@function("note_range")
def _note_range(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    low, high = (whole(theory.note_number(value)) for value in given[:2])
    pitches = _options(given).get("pitches")
    notes = range(low, min(high, low + LARGEST_LIST) + 1)
    if pitches is None:
        return Ring(list(notes))
    wanted = {theory.note_number(pitch) % 12 for pitch in as_list(pitches)}
    return Ring([note for note in notes if note % 12 in wanted])


@function("scale")
def _scale(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    plain = _plain(given)
    tonic = plain[0] if len(plain) > 1 else 0
    octaves = _options(given).get("num_octaves") or 1
    return Ring(theory.scale_notes(tonic, plain[-1], octaves))


@function("chord")
def _chord(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    plain = _plain(given)
    tonic, name = (plain[0], plain[1]) if len(plain) > 1 else (0, plain[0])
    if tonic is None:
        return []
    if is_list(tonic):
        tonic, name = as_list(tonic)[:2]
    options = _options(given)
    notes = theory.chord_notes(tonic, name, options.get("num_octaves") or 1)
    return Ring(theory.inverted(notes, _shift(options.get("invert"))))


def _shift(value: Value) -> int:
    return math.floor(value + 0.5) if is_number(value) else 0


@function("chord_invert", "invert_chord")
def _chord_invert(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return Ring(theory.inverted(as_list(given[0]), _shift(given[1])))


@function("degree")
def _degree(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return theory.degree_note(*given[:3])


@function("chord_degree")
def _chord_degree(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    plain = [*_plain(given)]
    defaults: list[Value] = [Symbol("i"), Symbol("c"), Symbol("major"), 4]
    degree, tonic, name, count = plain + defaults[len(plain) :]
    notes = theory.degree_chord(degree, tonic, name, whole(count))
    return Ring(theory.inverted(notes, _shift(_options(given).get("invert"))))


@function("scale_names")
def _scale_names(_thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return Ring([Symbol(name) for name in sorted(theory.SCALES)])


@function("chord_names")
def _chord_names(_thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return Ring(sorted(theory.CHORDS))


@function("midi_to_hz")
def _midi_to_hz(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return theory.midi_to_hertz(given[0])


@function("hz_to_midi")
def _hz_to_midi(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return theory.hertz_to_midi(given[0])


@function("pitch_to_ratio")
def _pitch_to_ratio(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return 2.0 ** (given[0] / 12.0)


@function("ratio_to_pitch")
def _ratio_to_pitch(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return 12.0 * math.log2(abs(given[0]))


@function("quantise", "quantize")
def _quantise(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return _quantised(given[0], given[1])


@function("rest?")
def _is_rest(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    value = given[0].get("note", 0) if isinstance(given[0], dict) else given[0]
    return theory.is_rest(value)


@function("Integer")
def _integer(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return whole(given[0])


@function("Float")
def _float(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return to_float(given[0])


@function("Array.new", "Array")
def _array(thread: VirtualThread, given: list[Value], block: Block | None) -> Value:
    count = min(max(0, whole(given[0])), LARGEST_LIST) if given else 0
    if block is not None:
        return [block.call(thread, [index]) for index in range(count)]
    return [given[1] if len(given) > 1 else None] * count


_MATHS: Final = ("sin", "cos", "tan", "sqrt", "log", "log2", "log10", "exp", "atan", "asin", "acos")


def _register_maths(name: str) -> None:
    apply = getattr(math, name)

    @function(f"Math.{name}", name)
    def _compute(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
        return apply(to_float(given[0]))


for _name in _MATHS:
    _register_maths(_name)


@function("Math.hypot")
def _hypot(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return math.hypot(given[0], given[1])


@function("Math.pow")
def _pow(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return math.pow(given[0], given[1])
