use_synth :prophet
use_synth_defaults amp: 0.5
with_synth_defaults pan: -0.5, release: 0.2 do
  play 60
  with_synth_defaults attack: 0.1, amp: 0.4 do
    play 64
  end
  sleep 0.5
end
opts = { release: 0.3, amp: 0.6 }
play 67, opts
play 69, **opts, cutoff: 110
sleep 0.5
with_synth :fm do
  play :c2, depth: 3, divisor: 0.5, attack: 0, decay: 0.1, sustain: 0.2, sustain_level: 0.3
  synth :zawa, note: [:c3, :g3], phase: 0.25
  synth :chipnoise, freq_band: 3, sustain: 0.1, release: 0.1
end
sleep 1
use_sample_defaults rate: 0.5, amp: 0.7
live_loop :s do
  sample :perc_bell, rate: (ring 0.5, 1).tick
  sample "tabla_", 3, hpf: 70
  sample :ambi_piano, attack: 0.1, sustain: 0.5, release: 0.5, start: 0.1
  sleep 0.8
  use_octave 1
  play :c3, note_slide: 0.1, duration: 0.4
  with_cent_tuning(20) { play :c3 }
  with_tuning(:just, :c) { play :e3 }
end
