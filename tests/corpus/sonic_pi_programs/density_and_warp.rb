use_bpm 90
live_loop :dense do
  density [1, 2, 4].tick do
    sample :drum_snare_soft, amp: 0.5
    sleep 1
  end
  density 2 do |i|
    play 60 + i * 12, release: 0.1
    sleep 0.5
  end
end
live_loop :warp do
  time_warp 0.25 do
    play :c5, release: 0.1
    sleep 0.1
    play :e5, release: 0.1
  end
  time_warp [0, 0.5, 0.75], [50, 53, 57] do |n|
    play n, release: 0.2
  end
  at [0.5, 1.5], [{ amp: 0.3 }, { amp: 0.6 }] do |opts|
    sample :elec_ping, opts
  end
  with_bpm_mul 2 do
    play :g5
    sleep 1
  end
  sleep 1.5
end
with_swing 0.1, pulse: 2 do
  play 80
end
