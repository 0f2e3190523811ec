text = "c4 e4 - g4 b4".split(" ")
beats = "x.x.X..x".chars
live_loop :reader do
  n = text.ring.tick
  play n.to_sym unless n == "-"
  b = beats.ring.look
  sample :drum_tom_hi_soft, amp: { "x" => 0.5, "X" => 1.2 }[b] || 0, on: b != "."
  name = "drum_snare_#{[:hard, :soft].ring.look}"
  sample name.to_sym, rate: 1.2, amp: 0.4 if tick(:other) % 3 == 2
  [1, 0, 0, 1].each_with_index do |v, i|
    sample :elec_tick, amp: v * 0.5 if v == 1 && i.positive? || look(:other).zero?
    sleep 0.125
  end
end
