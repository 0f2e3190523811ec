use_bpm 130
bars = 0
define :kick? do
  true
end
with_fx :compressor, threshold: 0.3 do
  live_loop :kick do
    sample :bd_haus, cutoff: 110, amp: 2 if kick?
    sleep 1
  end
end
live_loop :clap, sync: :kick do
  sleep 1
  sample :sn_zome, amp: 0.4
  sleep 1
end
live_loop :acid, sync: :kick do
  bars += 1
  use_random_seed 100 + bars / 2
  with_fx :ixi_techno, phase: 4, mix: 0.3 do
    16.times do |i|
      synth :tb303, note: (scale :e1, :minor_pentatonic, num_octaves: 2).choose, release: 0.2, cutoff: (line 60, 120, steps: 32).tick, res: 0.85, wave: 1 if spread(9, 16)[i]
      sleep 0.25
    end
  end
end
live_loop :hats, sync: :kick do
  with_fx(:krush, mix: 0.2) do
    4.times do
      sleep 0.5
      sample :drum_cymbal_closed, sustain: 0, release: 0.1, hpf: 90
      sleep 0.5
      sample :drum_cymbal_open, finish: 0.2, amp: 0.4 if bars > 1
    end
  end
end
