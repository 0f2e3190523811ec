# Long sounds, effects around loops, samples backwards.
use_bpm 40
with_fx :gverb, room: 20, mix: 0.5 do
  with_fx :hpf, cutoff: 60 do
    live_loop :far do
      sample :ambi_glass_rub, rate: [0.5, -0.25, 0.75].tick, amp: 0.6, attack: 0.5
      sleep [1, 1.5].ring.look
    end
  end
end
with_fx :panslicer, phase: 0.5 do
  with_fx :flanger, phase: 4, mix: 0.4 do
    live_loop :dark do
      synth :dark_ambience, note: (scale :a2, :aeolian).choose, attack: 1, sustain: 1, release: 2, amp: 1.2
      sleep 2
    end
  end
end
live_loop :noise do
  synth [:pnoise, :bnoise].choose, attack: 0.5, release: 1, cutoff: rrand(60, 100), amp: 0.15
  sleep rrand(0.5, 1.5)
end
