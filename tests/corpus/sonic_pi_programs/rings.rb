live_loop :rings do
  r = (ring 60, 62, 64, 67)
  seq = r.mirror.drop(1).take(5) + r.reverse.stretch(2)
  seq.each { |n| play n, release: 0.1, amp: 0.5; sleep 0.125 }
  play (line 50, 70, steps: 5).tick(:up), release: 0.2
  play (range 40, 60, step: 5).look(:up), release: 0.2
  play (range 70, 60, step: 2, inclusive: true).rotate(2).butlast.last
  play (octs :e2, 3).look(:up)
  sleep 0.25
  play (ramp 60, 65, 70).tick(:ramp), amp: (line 0.1, 1, steps: 8, inclusive: true).look(:ramp)
  play (r.repeat(2).pick(3).last), release: 0.1
  play (doubles 30, 2).choose + (halves 8, 3)[2]
  sleep 0.25
  tick_set :up, 0 if tick(:n) == 3
  tick_reset :ramp if look(:n) == 4
  play r.reflect[-1] - 12, release: (0.1..0.3).step(0.1).to_a.last
  sleep 0.25
end
