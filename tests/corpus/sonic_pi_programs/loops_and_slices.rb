use_sample_bpm :loop_amen, num_beats: 4
live_loop :amen do
  n = [0, 4, 8, 12].choose
  sample :loop_amen, beat_stretch: 4, slice: n, num_slices: 16
  sleep 0.25
  sample :loop_amen, beat_stretch: 4, start: 0.5, finish: 0.625, rate: [1, -1].tick
  sleep sample_duration(:loop_amen, start: 0.5, finish: 0.75)
end
live_loop :industrial do
  with_sample_defaults amp: 0.3, lpf: 90 do
    sample :loop_industrial, beat_stretch: 2, pan: -0.2
    sleep 2
    sample :ambi_choir, rpitch: -3, cutoff: 100
    sleep 2
  end
end
