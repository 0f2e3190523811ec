use_bpm 100
live_loop :guitar do
  with_fx :distortion, distort: 0.8, amp: 0.4 do
    with_fx :slicer, phase: 0.25, wave: 0, mix: 0.9 do |sl|
      synth :pluck, note: [:e2, :g2, :a2].tick, sustain: 2, release: 1
      control sl, phase: [0.125, 0.25].look
      sleep 2
    end
  end
  with_fx :bitcrusher, bits: 5, reps: 2 do
    with_fx(:lpf, cutoff: 80) { play :e4; sleep 0.5 }
  end
end
with_fx :wobble, phase: 2, res: 0.9, wave: 2 do
  live_loop :wob do
    use_synth :dsaw
    play :e1, sustain: 3.5, release: 0.5
    sleep 4
  end
end
