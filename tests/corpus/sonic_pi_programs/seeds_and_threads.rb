use_random_seed 99
3.times do |i|
  in_thread do
    2.times { play rrand(50, 80) + i * 5, release: 0.1; sleep rrand(0.2, 0.4) }
  end
end
with_random_seed 7 do
  3.times { play [60, 62, 64, 65].choose; sleep 0.25 }
end
play (rand_i 12) + 60
rand_back
play (rand_i 12) + 72
rand_skip 2
play rand_look(10) + 60
sleep 0.5
live_loop :reset do
  use_random_seed 42 if tick % 4 == 0
  4.times do
    play choose([55, 57, 60]), amp: rrand(0.2, 1, step: 0.1)
    sleep (ring 0.125, 0.25).shuffle.tick(:s)
  end
  sample [:bd_ada, :bd_gas, :bd_sone].choose
  sample :bd_haus if one_in(2)
  at([0.1, 0.2]) { play rrand_i(80, 90), amp: 0.2 }
  sleep 0.25
end
