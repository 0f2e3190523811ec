use_bpm 110
live_loop :three, delay: 0.5 do
  sample :elec_blip2, on: spread(3, 8).tick, amp: 0.8
  sleep 0.25
end
live_loop :five do
  tick
  sample :elec_tick if (spread 5, 16, rotate: 2).look
  sample :bass_hit_c, rate: 2 if (bools 1, 0, 0, 1, 0).look
  sleep 0.25
end
live_loop :knits do
  play (knit :e3, 3, :g3, 1, :rest, 2).tick, release: 0.2
  sleep (stretch [0.25, 0.5], 4).look
end
