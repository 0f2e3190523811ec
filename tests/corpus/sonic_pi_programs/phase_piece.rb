notes = (ring :e4, :fs4, :b4, :cs5, :d5, :fs4, :e4, :cs5, :b4, :fs4, :d5, :cs5)
live_loop :first do
  play notes.tick, release: 0.1
  sleep 0.3
end
live_loop :second do
  play notes.tick, release: 0.1, pan: 0.8
  sleep 0.303
end
live_loop :third, seed: 3, init: 60 do |n|
  play n, amp: 0.3
  sleep 1
  n > 70 ? 60 : n + rrand_i(1, 3)
end
