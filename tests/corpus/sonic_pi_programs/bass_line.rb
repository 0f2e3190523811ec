use_bpm 96
use_synth :tb303
use_synth_defaults release: 0.3, cutoff: 70, res: 0.7
notes = [:e2, :e2, nil, :g2, :r, :a2, :b2, :d3]
live_loop :bass do
  notes.each_with_index do |n, i|
    cut = 60 + i * 5
    play n, cutoff: cut, amp: i.even? ? 1 : 0.6
    sleep 0.5
  end
  use_transpose [0, 5, -2].choose
end
