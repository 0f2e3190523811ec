use_bpm 70
with_fx :reverb, room: 0.9, mix: 0.6 do
  live_loop :pad do
    use_synth :hollow
    n = play (chord_degree [:i, :iv, :vi, :v].tick, :d3, :minor, 3), attack: 1, sustain: 2, release: 1, amp: 1.4
    sleep 4
  end
  live_loop :glide do
    s = synth :dsaw, note: :d2, sustain: 6, note_slide: 0.5, cutoff: 60, cutoff_slide: 2, amp: 0.4
    (ring :f2, :a2, :c3).each do |x|
      sleep 1
      control s, note: x, cutoff: rrand(70, 110)
    end
    sleep 3
  end
end
