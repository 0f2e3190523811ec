use_random_seed 4321
live_loop :melody do
  with_fx :echo, phase: 0.375, mix: 0.4 do
    8.times do
      play scale(:d4, :dorian, num_octaves: 2).choose, release: rrand(0.1, 0.6), amp: rand(0.5) + 0.3, pan: rdist(0.8)
      sleep [0.25, 0.25, 0.5].choose
    end
  end
end
live_loop :spark do
  use_synth :pretty_bell
  play rrand_i(70, 90), amp: 0.3 if one_in(3)
  play 60 + dice(12), amp: 0.2 if rand < 0.3
  sleep 0.5
  play (scale :d5, :minor_pentatonic).shuffle.first, release: 0.2
  sleep [0.5, 1].pick.first
end
